/* One point for each cell of a grid, to be shown as a picture where points are too many. */
const FINEST = 10; // levels; a grid of 2 ** (FINEST + 1) cells a side

/* The first point in each cell with points that are shown; cells are 2 ** -level wide, and stay where they are when a
reader moves. First points come from few sheets of pictures. */
export function landmarks(x: Float32Array, y: Float32Array, shown: Uint8Array, level: number): number[] {
  if (level > FINEST) return [];
  const side = 2 ** Math.max(level + 1, 0) + 1;
  const scale = 2 ** level;
  const taken = new Uint8Array(side * side);
  const points: number[] = [];
  for (let i = 0; i < x.length; i++) {
    if (!shown[i] || x[i] !== x[i]) continue;
    const cell = Math.floor((y[i] + 1) * scale) * side + Math.floor((x[i] + 1) * scale);
    if (taken[cell]) continue;
    taken[cell] = 1;
    points.push(i);
  }
  return points;
}
