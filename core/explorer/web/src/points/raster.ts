/* Dots in an image of pixels: 100,000 of them take a few milliseconds on any machine.

WebGL was measured first (regl-scatterplot): where a computer has no graphics processor for the browser, it drew 4 to 9
frames a second of 100,000 points, and this 50 to 60. */
import type { Camera, Size } from "./camera";

export class Raster {
  private image: ImageData | null = null;
  private pixels = new Uint32Array(0);

  /* Draws dots of `diameter` pixels at points in this order, later ones over earlier ones, on a plain ground.

  All sizes are in pixels of the canvas. */
  draw(context: CanvasRenderingContext2D, camera: Camera, size: Size, diameter: number, ground: number, dots: Dots): void {
    const { width, height } = size;
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    this.pixels.fill(ground);
    const { x, y, order, colours } = dots;
    const { pixels } = this;
    const rows = stamp(diameter, width);
    const [reach, scale] = [Math.ceil(diameter / 2) + 1, camera.scale];
    const [left, top] = [width / 2 - camera.x * scale, height / 2 + camera.y * scale];
    const [right, bottom] = [width - reach, height - reach];
    for (let n = 0; n < order.length; n++) {
      const i = order[n];
      const column = x[i] * scale + left;
      const row = top - y[i] * scale;
      if (!(column >= reach && row >= reach && column < right && row < bottom)) continue;
      const at = (row | 0) * width + (column | 0);
      const colour = colours[i];
      for (let k = 0; k < rows.length; k += 2) {
        for (let p = at + rows[k], end = at + rows[k + 1]; p < end; p++) pixels[p] = colour;
      }
    }
    context.putImageData(this.image, 0, 0);
  }
}

export interface Dots {
  x: Float32Array;
  y: Float32Array;
  order: Int32Array; // of those that are drawn
  colours: Uint32Array; // by point, see `packed`
}

/* A disc as pairs of offsets, from the first pixel of each row to after its last one. */
function stamp(diameter: number, width: number): number[] {
  const rows: number[] = [];
  const middle = (diameter - 1) / 2;
  for (let row = 0; row < diameter; row++) {
    const down = row - middle;
    const half = diameter <= 3 ? middle : Math.round(Math.sqrt(Math.max(0, (diameter / 2) ** 2 - down * down)) - 0.5);
    const first = Math.floor(middle - half) - Math.floor(middle);
    const start = (row - Math.floor(middle)) * width + first;
    rows.push(start, start + Math.round(2 * half) + 1);
  }
  return rows;
}

/* Red, green and blue, 0 to 255, as the raster has them: little-endian, opaque. */
export function packed([red, green, blue]: readonly number[]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
