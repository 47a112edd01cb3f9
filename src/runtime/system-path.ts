/** PATH with the folders of system programs, which an ordinary user's often lacks (`ip` and `iptables` live in /usr/sbin on Debian). */
export function systemPath(path: string = process.env["PATH"] ?? ""): string {
  const folders = path.split(":").filter((folder) => folder !== "");
  for (const folder of ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]) if (!folders.includes(folder)) folders.push(folder);
  return folders.join(":");
}
