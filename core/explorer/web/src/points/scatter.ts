/* The canvas of points: dots, pictures where there is room for them, the lasso's line; a frame only where something changed. */
import { mixed, cssText, type Rgb } from "./colours";
import { panned, toPoint, toScreen, whole, zoomed, type Camera, type Size } from "./camera";
import { landmarks } from "./landmarks";
import { Nearest } from "./nearest";
import { inside, type Line } from "./polygon";
import { packed, Raster } from "./raster";
import type { Tiles } from "./tiles";

/* What is drawn of the points, whatever the layout. */
export interface Look {
  order: Int32Array; // from the back to the front
  colours: Uint32Array; // by point, see `packed`
  shown: Uint8Array; // by point, what filters leave
  chosen: Uint8Array; // by point
  choice: boolean; // whether any is chosen
  colourOf: (point: number) => Rgb;
  ground: Rgb;
  ink: Rgb;
  accent: Rgb;
  pictures: boolean;
}

const EASE_MS = 700; // of points on their way to another layout
const NEAR = 500; // points in sight, up to which each is a picture
const ASK_MS = 120; // between two requests for pictures

export class Scatter {
  camera: Camera | null = null;
  size: Size = { width: 0, height: 0 }; // in CSS pixels, as the camera's
  hovered = -1;
  lasso: Line = []; // in points' coordinates
  onDraw: () => void = () => undefined;
  private readonly context: CanvasRenderingContext2D;
  private readonly raster = new Raster();
  private x: Float32Array = new Float32Array(0);
  private y: Float32Array = new Float32Array(0);
  private way: { from: [Float32Array, Float32Array]; to: [Float32Array, Float32Array]; start: number } | null = null;
  private nearest: Nearest | null = null;
  private look: Look | null = null;
  private marks: { key: string; points: number[] } = { key: "", points: [] };
  private version = 0;
  private frame = 0;
  private asked = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly tiles: Tiles | null,
  ) {
    this.context = canvas.getContext("2d", { alpha: false })!;
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.frame = -1;
  }

  resize(width: number, height: number): void {
    const ratio = this.ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const before = this.size;
    this.size = { width, height };
    if (!this.camera || !before.width) this.camera ??= whole(this.size);
    else this.camera = { ...this.camera, scale: (this.camera.scale * whole(this.size).scale) / whole(before).scale };
    this.redraw();
  }

  private get ratio(): number {
    return Math.min(window.devicePixelRatio || 1, 2);
  }

  /* Points of a layout; they move there from where they are unless it is the first one. */
  place(x: Float32Array, y: Float32Array, moves: boolean): void {
    if (moves && this.x.length === x.length) {
      this.way = { from: [this.x, this.y], to: [x, y], start: performance.now() };
      [this.x, this.y] = [x.slice(), y.slice()];
    } else {
      this.way = null;
      [this.x, this.y] = [x, y];
    }
    this.nearest = null;
    this.version++;
    this.redraw();
  }

  show(look: Look): void {
    this.look = look;
    this.version++;
    this.redraw();
  }

  get moving(): boolean {
    return this.way !== null;
  }

  look_at(camera: Camera): void {
    this.camera = camera;
    this.redraw();
  }

  pan(right: number, down: number): void {
    if (this.camera) this.look_at(panned(this.camera, this.size, right, down));
  }

  zoom(factor: number, left?: number, top?: number): void {
    if (this.camera) this.look_at(zoomed(this.camera, this.size, factor, left, top));
  }

  fit(): void {
    this.look_at(whole(this.size));
  }

  /* The point under a place of the canvas, -1 for none. */
  at(left: number, top: number): number {
    if (!this.camera || !this.look || this.way) return -1;
    this.nearest ??= new Nearest(this.x, this.y);
    const radius = Math.max(10, this.pictureSide() / 2) / this.camera.scale;
    return this.nearest.at(...toPoint(this.camera, this.size, left, top), radius, this.look.shown);
  }

  pointAt(left: number, top: number): [number, number] {
    return toPoint(this.camera!, this.size, left, top);
  }

  screenOf(point: number): [number, number] {
    return toScreen(this.camera!, this.size, this.x[point], this.y[point]);
  }

  within(line: Line): number[] {
    return this.look ? inside(line, this.x, this.y, this.look.shown) : [];
  }

  /* The rectangle of points, [left, low, right, high]; null where none of them is anywhere. */
  box(points: ArrayLike<number>): [number, number, number, number] | null {
    const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let n = 0; n < points.length; n++) {
      const [x, y] = [this.x[points[n]], this.y[points[n]]];
      if (x !== x) continue;
      [box[0], box[1]] = [Math.min(box[0], x), Math.min(box[1], y)];
      [box[2], box[3]] = [Math.max(box[2], x), Math.max(box[3], y)];
    }
    return box[0] <= box[2] ? box : null;
  }

  redraw(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame((now) => this.draw(now));
  }

  private draw(now: number): void {
    this.frame = 0;
    const { camera, look, size, context } = this;
    if (!camera || !look || !size.width || !this.x.length) return;
    this.move(now);
    const ratio = this.ratio;
    const own = { ...camera, scale: camera.scale * ratio };
    const pixels = { width: this.canvas.width, height: this.canvas.height };
    context.setTransform(1, 0, 0, 1, 0, 0);
    const dots = { x: this.x, y: this.y, order: look.order, colours: look.colours, version: this.version };
    this.raster.draw(context, own, pixels, Math.round(this.dot() * ratio), packed(look.ground), dots);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.tiles && look.pictures && !this.way) this.drawPictures(this.tiles, look, now);
    this.drawMarks(look);
    this.onDraw();
    if (this.way) this.redraw();
  }

  private move(now: number): void {
    if (!this.way) return;
    const { from, to, start } = this.way;
    this.version++;
    const time = Math.min(1, Math.max(0, now - start) / EASE_MS);
    if (time >= 1) {
      [this.x, this.y] = to;
      this.way = null;
      this.nearest = null;
      return;
    }
    const share = time * time * (3 - 2 * time);
    between(from[0], to[0], share, this.x);
    between(from[1], to[1], share, this.y);
  }

  /* Of a dot, in CSS pixels: larger where points are few, and where they are near. */
  private dot(): number {
    const count = this.x.length;
    const base = count > 30_000 ? 2 : count > 5_000 ? 3 : count > 800 ? 5 : 7;
    return Math.min(9, base * (this.camera!.scale / whole(this.size).scale) ** 0.4);
  }

  private pictureSide(): number {
    if (!this.tiles || !this.look?.pictures) return 0;
    const { width, height } = this.size;
    const base = Math.min(Math.max(0.55 * Math.sqrt((width * height) / this.x.length), 24), 48);
    return Math.min(72, base * Math.max(1, this.camera!.scale / whole(this.size).scale) ** 0.25);
  }

  private drawPictures(tiles: Tiles, look: Look, now: number): void {
    const side = this.pictureSide();
    const points = this.pictured(look, side);
    for (const point of points) this.drawPicture(tiles, look, point, side);
    if (this.hovered >= 0) this.drawPicture(tiles, look, this.hovered, side * 1.25);
    if (now - this.asked < ASK_MS) {
      window.setTimeout(() => this.redraw(), ASK_MS);
      return;
    }
    this.asked = now;
    tiles.want(this.hovered >= 0 ? [this.hovered, ...points] : points);
  }

  /* The points that are pictures: all in sight where they are few, else one in each cell of a grid. */
  private pictured(look: Look, side: number): number[] {
    const { camera, size } = this;
    const [width, height] = [size.width / 2 / camera!.scale, size.height / 2 / camera!.scale];
    const seen = (point: number) => Math.abs(this.x[point] - camera!.x) < width && Math.abs(this.y[point] - camera!.y) < height;
    const near: number[] = [];
    for (let n = 0; n < look.order.length && near.length <= NEAR; n++) {
      const point = look.order[n];
      if (look.shown[point] && seen(point)) near.push(point);
    }
    if (near.length <= NEAR) return near;
    const level = Math.floor(Math.log2(camera!.scale / (1.4 * side)));
    const key = `${level} ${this.version}`;
    if (this.marks.key !== key) this.marks = { key, points: landmarks(this.x, this.y, look.shown, level) };
    return this.marks.points.filter(seen);
  }

  private drawPicture(tiles: Tiles, look: Look, point: number, side: number): void {
    const place = tiles.place(point);
    if (!place) return;
    const { context } = this;
    const [left, top] = this.screenOf(point).map((value) => Math.round(value - side / 2));
    const dim = look.choice && !look.chosen[point];
    context.globalAlpha = dim ? 0.35 : 1;
    context.fillStyle = cssText(look.chosen[point] ? look.accent : look.colourOf(point));
    context.fillRect(left - 2, top - 2, side + 4, side + 4);
    context.imageSmoothingEnabled = side < 2.5 * tiles.side;
    context.drawImage(tiles.canvas, ...place, tiles.side, tiles.side, left, top, side, side);
    context.globalAlpha = 1;
  }

  private drawMarks(look: Look): void {
    const { context, hovered, lasso } = this;
    if (hovered >= 0 && !this.way) {
      context.beginPath();
      context.arc(...this.screenOf(hovered), Math.max(6, this.dot()), 0, 2 * Math.PI);
      context.lineWidth = 2;
      context.strokeStyle = cssText(look.ink);
      context.stroke();
    }
    if (lasso.length > 1) {
      context.beginPath();
      lasso.forEach(([x, y]) => context.lineTo(...toScreen(this.camera!, this.size, x, y)));
      context.closePath();
      context.lineWidth = 1.5;
      context.strokeStyle = cssText(look.accent);
      context.fillStyle = cssText(mixed(look.ground, look.accent, 0.5)).replace(")", " / 18%)");
      context.fill();
      context.stroke();
    }
  }
}

/* On the way: a point that is missing in one of the two is where the other has it. */
function between(from: Float32Array, to: Float32Array, share: number, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) {
    const value = from[i] + share * (to[i] - from[i]);
    out[i] = value === value ? value : to[i];
  }
}
