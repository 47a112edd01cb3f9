#!/bin/sh
# Makes the demo's films: six lattices, each drawn from left to right in three seconds. Needs ffmpeg (Debian: apt-get install ffmpeg).
# The same version of ffmpeg makes the same bytes again. All of them together stay below 100 kB.
set -eu
cd "$(dirname "$0")"

# NAME, and an expression of X and Y that is above 0 where there is wood.
film() {
  wood="gt($2,0)*lt(X,40+T*110)"
  ffmpeg -v error -y -f lavfi -i "color=c=white:s=256x144:r=8:d=3,format=gbrp,geq=r='244-120*$wood':g='234-148*$wood':b='216-164*$wood'" \
    -c:v libvpx-vp9 -pix_fmt yuv420p -crf 45 -b:v 0 -row-mt 0 -threads 1 -g 24 -map_metadata -1 -fflags +bitexact -flags:v +bitexact "$1.webm"
}

film kaku     "lt(mod(X,24),3)+lt(mod(Y,24),3)"
film hishi    "lt(mod(X+Y,32),4)+lt(mod(X-Y+1024,32),4)"
film kikko    "lt(mod(Y,28),3)+lt(mod(1.732*X+Y,56),5)+lt(mod(1.732*X-Y+1120,56),5)"
film shippo   "lt(abs(hypot(mod(X,36)-18,mod(Y,36)-18)-17),1.5)+lt(abs(hypot(mod(X+18,36)-18,mod(Y+18,36)-18)-17),1.5)"
film shoji    "lt(mod(X,56),4)+lt(mod(Y,20),2)"
film goma     "lt(mod(X,32),3)+lt(mod(Y,32),3)+lt(mod(X+Y,32),3)"
