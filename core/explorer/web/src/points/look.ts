/* From kinds, filters and a choice to what the canvas draws. */
import { cssColour, mixed, type Kinds, type Palette } from "./colours";
import type { Images } from "./images";
import { packed } from "./raster";
import type { Look } from "./scatter";

export interface Filter {
  hidden: ReadonlySet<number>; // kinds
  text: string;
}

/* Which images the filters leave; images without a point never. */
export function shownBy(filter: Filter, kinds: Kinds, images: Images, classes: (index: number) => string): Uint8Array {
  const text = filter.text.trim().toLowerCase();
  if (!text) return Uint8Array.from(kinds.of, (kind) => Number(kind >= 0 && !filter.hidden.has(kind)));
  const labels = images.labels.map((label) => label.toLowerCase().includes(text));
  const predicted = new Map<number, boolean>();
  const shown = new Uint8Array(images.count);
  for (let i = 0; i < images.count; i++) {
    const kind = kinds.of[i];
    if (kind < 0 || filter.hidden.has(kind)) continue;
    shown[i] = Number(labels[images.label[i]] || images.ids[i].toLowerCase().includes(text) || named(images.predicted[i]));
  }
  return shown;

  function named(index: number): boolean {
    if (index < 0) return false;
    let found = predicted.get(index);
    if (found === undefined) predicted.set(index, (found = classes(index).toLowerCase().includes(text)));
    return found;
  }
}

/* What is filtered out lies behind, pale; what is not chosen fades where something is. */
export function lookOf(kinds: Kinds, shown: Uint8Array, chosen: readonly number[], colours: Palette, pictures: boolean): Look {
  const count = shown.length;
  const marked = new Uint8Array(count);
  for (const point of chosen) marked[point] = 1;
  const bright = kinds.colours.map(packed);
  const faded = kinds.colours.map((colour) => packed(mixed(colours.ground, colour, chosen.length ? 0.3 : 1)));
  const pale = packed(colours.pale);
  const own = new Uint32Array(count);
  const layers = [0, 1, 2].map(() => new Int32Array(count));
  const sizes = [0, 0, 0];
  const scatter = scattered(count);
  for (let n = 0; n < count; n++) {
    const i = scatter[n];
    const kind = kinds.of[i];
    if (kind < 0) continue;
    const layer = !shown[i] ? 0 : marked[i] ? 2 : 1;
    own[i] = layer === 0 ? pale : layer === 1 ? faded[kind] : bright[kind];
    layers[layer][sizes[layer]++] = i;
  }
  const order = new Int32Array(sizes[0] + sizes[1] + sizes[2]);
  layers.forEach((layer, n) => order.set(layer.subarray(0, sizes[n]), [0, sizes[0], sizes[0] + sizes[1]][n]));
  return {
    order,
    colours: own,
    shown,
    chosen: marked,
    choice: chosen.length > 0,
    colourOf: (point) => kinds.colours[kinds.of[point]] ?? colours.faint,
    ground: colours.ground,
    ink: cssColour("--ink"),
    accent: cssColour("--accent"),
    pictures,
  };
}

/* 0 .. count - 1, each once, neighbours far apart: no class lies over all others because its images come last. */
function scattered(count: number): Int32Array {
  if (kept.length === count) return kept;
  let step = Math.max(1, Math.round(count * 0.618));
  while (common(step, count) > 1) step++;
  kept = new Int32Array(count);
  for (let n = 0; n < count; n++) kept[n] = (n * step) % count;
  return kept;
}
let kept = new Int32Array(0);

function common(a: number, b: number): number {
  return b ? common(b, a % b) : a;
}
