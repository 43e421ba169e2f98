/* The points within a closed line, by the even-odd rule. */
export type Line = [number, number][];

/* Indices of points inside, of those that `allowed` marks. */
export function inside(line: Line, x: Float32Array, y: Float32Array, allowed: Uint8Array): number[] {
  if (line.length < 3) return [];
  const xs = line.map((corner) => corner[0]);
  const ys = line.map((corner) => corner[1]);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found: number[] = [];
  for (let i = 0; i < x.length; i++) {
    if (!allowed[i] || !(x[i] >= left && x[i] <= right && y[i] >= low && y[i] <= high)) continue;
    if (crossings(xs, ys, x[i], y[i]) % 2) found.push(i);
  }
  return found;
}

/* Edges that a ray to the right of a place crosses. */
function crossings(xs: number[], ys: number[], x: number, y: number): number {
  let count = 0;
  for (let n = 0, last = xs.length - 1; n < xs.length; last = n++) {
    if (ys[n] > y === ys[last] > y) continue;
    if (x < xs[n] + ((y - ys[n]) / (ys[last] - ys[n])) * (xs[last] - xs[n])) count++;
  }
  return count;
}
