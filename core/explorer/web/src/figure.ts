/* Numbers for readers: short, with a thin space between thousands, a dash where there is none. */

const NONE = "\u2013";
const PREFIXES: [number, string][] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

type Figure = number | null | undefined;

/* 1 234 567 as "1.23 M"; for parameters and operations. */
export function short(value: Figure): string {
  if (value === null || value === undefined) return NONE;
  for (const [size, letter] of PREFIXES) {
    if (Math.abs(value) >= size * 0.9995) return `${digits(value / size, 3)}\u00a0${letter}`;
  }
  return Number.isInteger(value) ? String(value) : digits(value, 3);
}

/* All digits of a count: "60 000". */
export function count(value: Figure): string {
  if (value === null || value === undefined) return NONE;
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

/* A measured value with three digits: "0.0123", "1.2e-7". */
export function figure(value: Figure): string {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return minus(value.toExponential(1).replace("e+", "e"));
  return digits(value, 3);
}

/* A share of one as a percentage: "12.3 %". */
export function percent(value: Figure): string {
  if (value === null || value === undefined) return NONE;
  const hundred = value * 100;
  return `${hundred !== 0 && Math.abs(hundred) < 0.1 ? "< 0.1" : digits(hundred, hundred >= 10 ? 3 : 2)}\u00a0%`;
}

/* A shape as "32 x 112 x 112" with the multiplication sign; "?" for a side that is not fixed. */
export function shape(sides: (number | null)[]): string {
  return sides.map((side) => side ?? "?").join("\u2009\u00d7\u2009") || "one value";
}

/* "1 unit", "12 units" */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)}\u00a0${value === 1 ? one : many}`;
}

/* A column's or figure's name as words: "lifetime_sparsity" as "lifetime sparsity". */
export function words(name: string): string {
  return name.replace(/_/g, " ");
}

function digits(value: number, precision: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return minus(String(value));
  return minus(String(Number(value.toPrecision(precision))));
}

function minus(text: string): string {
  return text.replace(/-/g, "\u2212");
}
