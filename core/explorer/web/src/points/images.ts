/* What is known of all images, from the files "images/K", in arrays by index. */
import { useEffect, useState } from "preact/hooks";
import type { ImageChunk, Site } from "../data";
import { load } from "../load";
import { className, useSite } from "../site";

export interface Images {
  count: number;
  ids: string[];
  label: Int32Array; // place in `labels`, -1 for none
  predicted: Int32Array; // class, -1 for none
  score: Float32Array; // NaN for none
  labels: string[];
  right: Int8Array | null; // 1 where the label names the predicted class, 0 where not, -1 where one is missing
}

const known = new WeakMap<Site, Promise<Images>>();

/* All images: undefined while they load, null where there are none. */
export function useImages(): Images | null | undefined {
  const site = useSite();
  const [images, setImages] = useState<Images | null | undefined>(site.images ? undefined : null);
  useEffect(() => {
    if (!site.images) return undefined;
    let wanted = true;
    let loading = known.get(site);
    if (!loading) known.set(site, (loading = loaded(site)));
    loading.then(
      (value) => wanted && setImages(value),
      () => wanted && setImages(null),
    );
    return () => {
      wanted = false;
    };
  }, [site]);
  return images;
}

async function loaded(site: Site): Promise<Images> {
  const { count, chunk, labels } = site.images!;
  const images: Images = {
    count,
    labels,
    ids: new Array<string>(count).fill(""),
    label: new Int32Array(count).fill(-1),
    predicted: new Int32Array(count).fill(-1),
    score: new Float32Array(count).fill(NaN),
    right: null,
  };
  const numbers = [...Array(Math.ceil(count / chunk)).keys()];
  await Promise.all(numbers.map(async (number) => put(images, await load<ImageChunk>(`images/${number}`))));
  return { ...images, right: judged(site, images) };
}

function put(images: Images, part: ImageChunk): void {
  part.ids.forEach((id, n) => {
    const index = part.start + n;
    images.ids[index] = id;
    images.label[index] = part.label[n];
    images.predicted[index] = part.predicted[n];
    images.score[index] = part.score[n] ?? NaN;
  });
}

/* A label names a class by its name, by one of the names between commas, or by its number. */
export function names(label: string, name: string, number: number): boolean {
  const text = label.trim().toLowerCase();
  const words = name.toLowerCase();
  return text === String(number) || text === words || words.split(",").some((word) => word.trim() === text);
}

/* Null where no label names any class: then the labels are of another kind. */
function judged(site: Site, images: Images): Int8Array | null {
  const classes = [...new Set(images.predicted)].filter((each) => each >= 0);
  const every = site.classes.length ? site.classes.map((_, place) => place) : classes;
  const byLabel = images.labels.map((label) => new Set(every.filter((each) => names(label, className(site, each), each))));
  if (!byLabel.some((classesOfLabel) => classesOfLabel.size)) return null;
  return Int8Array.from(images.label, (label, i) =>
    label < 0 || images.predicted[i] < 0 ? -1 : byLabel[label].has(images.predicted[i]) ? 1 : 0,
  );
}
