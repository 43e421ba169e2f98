/* Points in the cells of a grid, to find the nearest one without looking at all of them. */
const SIDE = 256;

export class Nearest {
  private readonly starts = new Int32Array(SIDE * SIDE + 1);
  private readonly order: Int32Array;

  constructor(
    private readonly x: Float32Array,
    private readonly y: Float32Array,
  ) {
    const cells = new Int32Array(x.length);
    for (let i = 0; i < x.length; i++) {
      cells[i] = x[i] === x[i] && y[i] === y[i] ? column(y[i]) * SIDE + column(x[i]) : -1;
      if (cells[i] >= 0) this.starts[cells[i] + 1]++;
    }
    for (let cell = 0; cell < SIDE * SIDE; cell++) this.starts[cell + 1] += this.starts[cell];
    this.order = new Int32Array(this.starts[SIDE * SIDE]);
    const next = this.starts.slice();
    for (let i = 0; i < x.length; i++) if (cells[i] >= 0) this.order[next[cells[i]]++] = i;
  }

  /* The point nearest to a place within a radius, of those that `allowed` marks; -1 for none. */
  at(x: number, y: number, radius: number, allowed: Uint8Array): number {
    let best = -1;
    let least = radius * radius;
    for (let row = column(y - radius); row <= column(y + radius); row++) {
      const first = this.starts[row * SIDE + column(x - radius)];
      const last = this.starts[row * SIDE + column(x + radius) + 1];
      for (let n = first; n < last; n++) {
        const i = this.order[n];
        const square = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
        if (square <= least && allowed[i]) [best, least] = [i, square];
      }
    }
    return best;
  }
}

function column(value: number): number {
  return Math.min(Math.max(Math.floor(((value + 1) / 2) * SIDE), 0), SIDE - 1);
}
