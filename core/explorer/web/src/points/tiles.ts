/* Small pictures of images on one canvas, as many as fit on it: sheets are loaded for those that are asked for, their
pictures copied, and the sheets forgotten. The pictures that were asked for longest ago give way. */
import type { Site, Thumbnails } from "../data";
import { forget, load } from "../load";

const SIDE = 2048; // pixels of the canvas
const AT_ONCE = 3; // sheets that are loaded and decoded at a time
const DECODED = 6; // sheets that are kept for pictures still to come

export class Tiles {
  readonly side: number;
  readonly canvas = document.createElement("canvas");
  private readonly context: CanvasRenderingContext2D;
  private readonly columns: number;
  private readonly slots = new Map<number, number>(); // by image
  private readonly holder: Int32Array; // image of each slot
  private readonly used: Float64Array; // when each slot was asked for
  private readonly wanted = new Set<number>();
  private readonly decoded = new Map<number, HTMLImageElement | null>();
  private readonly under_way = new Set<number>();
  private readonly listeners = new Set<() => void>();
  private now = 0;

  constructor(private readonly form: NonNullable<Site["thumbnails"]>) {
    this.side = form.side;
    this.columns = Math.max(1, Math.floor(SIDE / form.side));
    this.canvas.width = this.canvas.height = this.columns * form.side;
    this.context = this.canvas.getContext("2d")!;
    this.holder = new Int32Array(this.columns ** 2).fill(-1);
    this.used = new Float64Array(this.columns ** 2);
  }

  /* Where an image's picture lies on the canvas; null until it is there. */
  place(image: number): [number, number] | null {
    const slot = this.slots.get(image);
    if (slot === undefined) return null;
    this.used[slot] = this.now;
    return [(slot % this.columns) * this.side, Math.floor(slot / this.columns) * this.side];
  }

  /* Asks for pictures, in place of those asked for in the same role before and not there yet. */
  want(images: number[]): void {
    this.now++;
    this.wanted.clear();
    for (const image of images) {
      const slot = this.slots.get(image);
      if (slot === undefined) this.wanted.add(image);
      else this.used[slot] = this.now;
    }
    for (const image of this.kept) if (!this.slots.has(image)) this.wanted.add(image);
    this.next();
  }

  private kept: number[] = [];
  /* Asks for pictures that stay wanted until others are kept: those of a list beside the view. */
  keep(images: number[]): void {
    this.kept = images;
    for (const image of images) if (!this.slots.has(image)) this.wanted.add(image);
    this.next();
  }

  /* Calls back whenever more pictures are there. */
  follow(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private next(): void {
    const needed = new Map<number, number[]>();
    for (const image of this.wanted) {
      const sheet = Math.floor(image / this.form.per_sheet);
      needed.set(sheet, [...(needed.get(sheet) ?? []), image]);
    }
    let more = false;
    for (const [sheet, images] of [...needed].sort((a, b) => b[1].length - a[1].length)) {
      const image = this.decoded.get(sheet);
      if (image !== undefined) {
        if (image) images.forEach((each) => this.copy(image, each));
        images.forEach((each) => this.wanted.delete(each));
        more = true;
      } else if (this.under_way.size < AT_ONCE && !this.under_way.has(sheet)) void this.fetch(sheet);
    }
    if (more) this.listeners.forEach((listener) => listener());
  }

  private async fetch(sheet: number): Promise<void> {
    this.under_way.add(sheet);
    let image: HTMLImageElement | null = new Image();
    try {
      const { image: url } = await load<Thumbnails>(`thumbnails/${sheet}`);
      if (!url.startsWith("data:image/")) throw new Error("no picture");
      image.src = url;
      await image.decode();
      forget(`thumbnails/${sheet}`);
    } catch {
      image = null; // the sheet is missing or damaged: its points stay dots
    }
    this.under_way.delete(sheet);
    this.decoded.set(sheet, image);
    this.next();
    const kept = [...this.decoded].filter(([, value]) => value); // what is missing is not asked for again
    for (const [oldest] of kept.slice(0, -DECODED)) this.decoded.delete(oldest);
  }

  private copy(sheet: HTMLImageElement, image: number): void {
    const { side, columns, form } = this;
    const slot = this.free();
    if (this.holder[slot] >= 0) this.slots.delete(this.holder[slot]);
    this.holder[slot] = image;
    this.used[slot] = this.now;
    this.slots.set(image, slot);
    const place = image % form.per_sheet;
    const [left, top] = [(place % form.across) * side, Math.floor(place / form.across) * side];
    const [right, down] = [(slot % columns) * side, Math.floor(slot / columns) * side];
    this.context.clearRect(right, down, side, side);
    this.context.drawImage(sheet, left, top, side, side, right, down, side, side);
  }

  private free(): number {
    let oldest = 0;
    for (let slot = 0; slot < this.used.length; slot++) {
      if (this.holder[slot] < 0) return slot;
      if (this.used[slot] < this.used[oldest]) oldest = slot;
    }
    return oldest;
  }
}

const every = new WeakMap<Site, Tiles>();

/* The pictures of a site; null where it has none. */
export function tilesOf(site: Site): Tiles | null {
  if (!site.thumbnails) return null;
  let tiles = every.get(site);
  if (!tiles) every.set(site, (tiles = new Tiles(site.thumbnails)));
  return tiles;
}
