/** What is drawn for a video until it is played: strips of a lattice, as thin as they are in the frame. */
export interface Poster {
  /** Degrees of the colour circle. */
  readonly hue: number;
  /** Of one tile, in the units of the picture. */
  readonly tile: number;
  /** The strips in one tile, as an SVG path. */
  readonly path: string;
  /** Degrees by which the lattice is turned. */
  readonly turn: number;
}

const TILE = 24;
const half = TILE / 2;
/** All four sides: a strip on the edge is cut in two, and each tile draws its half. */
const edges = `M0 0H${TILE}V${TILE}H0Z`;
const arc = `A${half} ${half} 0 0 1`;

/** Lattices by the strips of a tile. */
const LATTICES: readonly string[] = [
  // Squares.
  edges,
  // Squares and one diagonal.
  `${edges}M0 ${TILE}L${TILE} 0`,
  // Diamonds with a bar.
  `M0 ${half}L${half} 0L${TILE} ${half}L${half} ${TILE}ZM${half} 0V${TILE}`,
  // Circles that overlap: one in the middle, a quarter at each corner.
  `M0 ${half}${arc} ${TILE} ${half}${arc} 0 ${half}M${half} 0${arc} 0 ${half}${arc} ${half} ${TILE}${arc} ${TILE} ${half}${arc} ${half} 0`,
  // A door's: narrow fields.
  `${edges}M0 ${half}H${TILE}`,
  // An eight-pointed star.
  `M0 0L${TILE} ${TILE}M${TILE} 0L0 ${TILE}M${half} 0V${TILE}M0 ${half}H${TILE}`,
];
const TURNS = [0, 30, 45];

/** The picture of a video: always the same for the same id, and seldom that of another one. */
export function posterOf(id: string): Poster {
  const hash = hashOf(id);
  return {
    hue: hash % 360,
    tile: TILE,
    path: LATTICES[(hash >>> 9) % LATTICES.length] ?? "",
    turn: TURNS[(hash >>> 17) % TURNS.length] ?? 0,
  };
}

/** FNV-1a, of 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
