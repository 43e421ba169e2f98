/* Dots in an image of pixels: 100,000 of them take a few milliseconds on any machine.

WebGL was measured first (regl-scatterplot): where a computer has no graphics processor for the browser, it drew 4 to 9
frames a second of 100,000 points, and this 50 to 60. */
import type { Camera, Size } from "./camera";

export interface Dots {
  x: Float32Array;
  y: Float32Array;
  order: Int32Array; // of those that are drawn, later ones over earlier ones
  colours: Uint32Array; // by point, see `packed`
  version: number; // another one where any of these has changed
}

export class Raster {
  private image: ImageData | null = null;
  private pixels = new Uint32Array(0);
  private version = -1;
  private x = new Float32Array(0); // in the order of drawing, as are the two others: memory is read from front to back
  private y = new Float32Array(0);
  private colours = new Uint32Array(0);

  /* Draws dots of `diameter` pixels on a plain ground; all sizes are in pixels of the canvas. */
  draw(context: CanvasRenderingContext2D, camera: Camera, size: Size, diameter: number, ground: number, dots: Dots): void {
    const { width, height } = size;
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    if (this.version !== dots.version) this.gather(dots);
    this.pixels.fill(ground);
    this.stamp(camera, width, height, Math.max(1, diameter));
    context.putImageData(this.image, 0, 0);
  }

  private gather({ x, y, order, colours, version }: Dots): void {
    this.version = version;
    const count = order.length;
    if (this.x.length !== count) {
      [this.x, this.y] = [new Float32Array(count), new Float32Array(count)];
      this.colours = new Uint32Array(count);
    }
    for (let n = 0; n < count; n++) {
      const i = order[n];
      this.x[n] = x[i];
      this.y[n] = y[i];
      this.colours[n] = colours[i];
    }
  }

  private stamp(camera: Camera, width: number, height: number, diameter: number): void {
    const { pixels, x, y, colours } = this;
    const rows = disc(diameter, width);
    const count = rows.length;
    const [reach, scale] = [Math.ceil(diameter / 2) + 1, camera.scale];
    const [left, top] = [width / 2 - camera.x * scale, height / 2 + camera.y * scale];
    const [right, bottom] = [width - reach, height - reach];
    for (let n = 0; n < x.length; n++) {
      const column = x[n] * scale + left;
      const row = top - y[n] * scale;
      if (!(column >= reach && row >= reach && column < right && row < bottom)) continue; // NaN, too
      const at = (row | 0) * width + (column | 0);
      const colour = colours[n];
      if (diameter === 2) {
        pixels[at - width - 1] = pixels[at - width] = pixels[at - 1] = pixels[at] = colour;
        continue;
      }
      if (diameter === 3) {
        const [above, below] = [at - width, at + width];
        pixels[above - 1] = pixels[above] = pixels[above + 1] = colour;
        pixels[at - 1] = pixels[at] = pixels[at + 1] = colour;
        pixels[below - 1] = pixels[below] = pixels[below + 1] = colour;
        continue;
      }
      for (let k = 0; k < count; k += 2) {
        const end = at + rows[k + 1];
        for (let p = at + rows[k]; p < end; p++) pixels[p] = colour;
      }
    }
  }
}

/* A disc as pairs of offsets, from the first pixel of each row to after its last one. */
function disc(diameter: number, width: number): Int32Array {
  const rows: number[] = [];
  const [radius, middle] = [diameter / 2, Math.floor(diameter / 2)];
  for (let row = 0; row < diameter; row++) {
    const down = row + 0.5 - radius;
    const half = Math.sqrt(Math.max(0, radius * radius - down * down));
    const [first, end] = [Math.round(radius - half), Math.round(radius + half)];
    if (end > first) rows.push((row - middle) * width + first - middle, (row - middle) * width + end - middle);
  }
  return Int32Array.from(rows);
}

/* Red, green and blue, 0 to 255, as the raster has them: little-endian, opaque. */
export function packed([red, green, blue]: readonly number[]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
