/* Colours of classes and of quantities, in light and in dark. */
import type { Images } from "./images";

export type Rgb = [number, number, number];
export type By = "label" | "predicted" | "right" | "score" | "none";

/* Points in kinds, each with a colour and a name; kinds in the legend's order. */
export interface Kinds {
  by: By;
  of: Int32Array; // kind of each image, -1 for images that have none
  names: string[];
  counts: number[];
  colours: Rgb[];
}

const COLOURED = 24; // kinds with a colour of their own, the most frequent ones
const STEPS = 8; // of a quantity

export interface Palette {
  dark: boolean;
  ground: Rgb;
  faint: Rgb; // what has no kind
  pale: Rgb; // what is filtered out
  scale: [Rgb, Rgb];
}

/* A colour of a style sheet's variable, as red, green and blue. */
export function cssColour(name: string): Rgb {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  return hex ? [parseInt(hex[1], 16), parseInt(hex[2], 16), parseInt(hex[3], 16)] : [128, 128, 128];
}

export function palette(dark: boolean): Palette {
  const [ground, line] = [cssColour("--surface"), cssColour("--line")];
  return {
    dark,
    ground,
    faint: cssColour("--faint"),
    pale: mixed(ground, line, 0.75),
    scale: dark ? [[68, 74, 120], [253, 231, 120]] : [[190, 214, 235], [20, 60, 120]],
  };
}

export function mixed(from: Rgb, to: Rgb, share: number): Rgb {
  return from.map((value, n) => Math.round(value + share * (to[n] - value))) as Rgb;
}

/* The images in kinds. */
export function kindsOf(by: By, images: Images, classes: (index: number) => string, colours: Palette): Kinds {
  if (by === "score") return byScore(images, colours);
  if (by === "right" && images.right) {
    const of = Int32Array.from(images.right, (right) => (right < 0 ? 2 : 1 - right));
    return coloured("right", of, ["right", "wrong", "not known"], [[47, 140, 90], [214, 84, 60], colours.faint]);
  }
  if (by === "label" || by === "predicted") {
    const given = by === "label" ? images.label : images.predicted;
    const name = by === "label" ? (place: number) => images.labels[place] : classes;
    return byClass(by, given, name, colours);
  }
  return coloured("none", new Int32Array(images.count), ["images"], [colours.dark ? [122, 184, 240] : [30, 110, 180]]);
}

function byClass(by: By, given: Int32Array, name: (place: number) => string, colours: Palette): Kinds {
  const counts = new Map<number, number>();
  for (const place of given) counts.set(place, (counts.get(place) ?? 0) + 1);
  const most = [...counts.keys()].sort((a, b) => Number(a < 0) - Number(b < 0) || counts.get(b)! - counts.get(a)! || a - b);
  const kind = new Map(most.map((place, n) => [place, n]));
  const names = most.map((place) => (place < 0 ? `no ${by === "label" ? "label" : "prediction"}` : name(place)));
  const own = most.map((place, n) => (place < 0 || n >= COLOURED ? colours.faint : hue(n, colours.dark)));
  return coloured(by, Int32Array.from(given, (place) => kind.get(place)!), names, own);
}

function byScore(images: Images, colours: Palette): Kinds {
  const finite = images.score.filter((score) => score === score);
  const [low, high] = finite.reduce(([a, b], score) => [Math.min(a, score), Math.max(b, score)], [Infinity, -Infinity]);
  const width = (high - low) / STEPS || 1;
  const step = (score: number) => Math.min(STEPS - 1, Math.floor((score - low) / width));
  const of = Int32Array.from(images.score, (score) => (score === score ? STEPS - 1 - step(score) : STEPS));
  const names = [...Array(STEPS).keys()].map((n) => {
    const start = low + (STEPS - 1 - n) * width;
    return `${start.toPrecision(2)} to ${(start + width).toPrecision(2)}`;
  });
  const own = names.map((_, n) => mixed(colours.scale[0], colours.scale[1], 1 - n / (STEPS - 1)));
  return coloured("score", of, [...names, "no score"], [...own, colours.faint]);
}

function coloured(by: By, of: Int32Array, names: string[], colours: Rgb[]): Kinds {
  const counts = new Array<number>(names.length).fill(0);
  for (const kind of of) if (kind >= 0) counts[kind]++;
  return { by, of, names, counts, colours };
}

/* The n-th of colours of which neighbours in number differ much: hues by the golden angle, three lightnesses. */
function hue(n: number, dark: boolean): Rgb {
  const lightness = (dark ? 0.74 : 0.62) + [0, -0.1, 0.07][n % 3];
  return fromOklch(lightness, [0.15, 0.13, 0.12][n % 3], 250 + n * 137.508);
}

/* sRGB of a colour in OKLCH (Ottosson, 2020), cut off where a screen cannot show it. */
function fromOklch(lightness: number, chroma: number, degrees: number): Rgb {
  const [a, b] = [chroma * Math.cos((degrees * Math.PI) / 180), chroma * Math.sin((degrees * Math.PI) / 180)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => {
    const cut = Math.min(Math.max(value, 0), 1);
    return Math.round(255 * (cut <= 0.0031308 ? 12.92 * cut : 1.055 * cut ** (1 / 2.4) - 0.055));
  }) as Rgb;
}

export function cssText([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}
