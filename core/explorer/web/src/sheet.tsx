/* Small pictures cut from sheets: one picture of many, shown as the background of an element. */
import { useEffect } from "preact/hooks";
import type { Sheet, Thumbnails, Url } from "./data";
import { useData } from "./load";
import { useSite } from "./site";

const PICTURE = /^data:image\/[a-z+.-]+;base64,[A-Za-z0-9+/=]*$/;

/* Sheets as rules of style, so that thousands of tiles share one copy of the picture's text. A rule outlives its last
tile by a moment: the tiles of the next page are drawn before those of the last one go, and count as users only then. */
interface Rule {
  name: string;
  image: Url;
  users: number;
  style: CSSStyleSheet;
}
const rules = new Map<Url, Rule>();
const KEPT = 2000; // milliseconds
let made = 0;

function ruleFor(image: Url): Rule {
  let rule = rules.get(image);
  if (!rule) {
    rule = { name: `sheet-${made++}`, image, users: 0, style: new CSSStyleSheet() };
    if (PICTURE.test(image)) rule.style.insertRule(`.${rule.name} { background-image: url("${image}") }`);
    adopt(rule);
  }
  return rule;
}

function adopt(rule: Rule): void {
  rules.set(rule.image, rule);
  if (!document.adoptedStyleSheets.includes(rule.style)) {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, rule.style];
  }
}

function release(rule: Rule): void {
  if (--rule.users > 0) return;
  setTimeout(() => {
    if (rule.users > 0) return;
    if (rules.get(rule.image) === rule) rules.delete(rule.image);
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((style) => style !== rule.style);
  }, KEPT);
}

/* A class whose background is the picture, as long as the component lives. */
function useSheet(image: Url): string {
  const rule = ruleFor(image);
  useEffect(() => {
    adopt(rule);
    rule.users++;
    return () => release(rule);
  }, [rule]);
  return rule.name;
}

interface TileProps {
  sheet: Sheet;
  slot: number; // place in the sheet, from 0
  alt: string; // "" where the text beside it says all
  size?: number; // the longer side on the page, in CSS pixels; as many as it has where none is given
  class?: string;
}

/* One small picture of a sheet. */
export function Tile({ sheet, slot, alt, size, class: more = "" }: TileProps) {
  const name = useSheet(sheet.image);
  const scale = size ? size / Math.max(sheet.width, sheet.height) : 1;
  const [width, height] = [sheet.width * scale, sheet.height * scale];
  const rows = Math.ceil(sheet.count / sheet.across);
  const style = {
    width: `${width}px`,
    height: `${height}px`,
    backgroundSize: `${sheet.across * width}px ${rows * height}px`,
    backgroundPosition: `${-(slot % sheet.across) * width}px ${-Math.floor(slot / sheet.across) * height}px`,
  };
  const sharp = scale >= 3 ? " tile-sharp" : "";
  return (
    <span
      class={`tile ${name}${sharp} ${more}`}
      style={style}
      role={alt ? "img" : undefined}
      aria-label={alt || undefined}
      aria-hidden={alt ? undefined : true}
      title={alt || undefined}
    />
  );
}

interface ThumbnailProps {
  index: number; // of the picture in the data
  alt: string;
  size?: number;
  class?: string;
}

/* The small picture of an image of the data; an empty square where there are none or while it loads. */
export function Thumbnail({ index, alt, size, class: more }: ThumbnailProps) {
  const { thumbnails, images } = useSite();
  const chunk = thumbnails && index >= 0 ? Math.floor(index / thumbnails.per_sheet) : null;
  const value = useData<Thumbnails>(chunk === null ? null : `thumbnails/${chunk}`);
  const side = size ?? thumbnails?.side ?? 48;
  if (!thumbnails || chunk === null || !value) {
    return <span class={`tile tile-empty ${more ?? ""}`} style={{ width: `${side}px`, height: `${side}px` }} title={alt} />;
  }
  const start = chunk * thumbnails.per_sheet;
  const count = Math.min(thumbnails.per_sheet, (images?.count ?? Infinity) - start);
  const sheet = { image: value.image, width: thumbnails.side, height: thumbnails.side, across: Math.min(thumbnails.across, count), count };
  return <Tile sheet={sheet} slot={index - start} alt={alt} size={side} class={more} />;
}
