/* What is known of all images, read chunk by chunk once somebody asks; the page is drawn again after each few. */
import { useEffect, useState } from "preact/hooks";
import type { ImageChunk } from "../data";
import { load } from "../load";
import { useSite } from "../site";

interface Chunks {
  chunks: ImageChunk[]; // in the data's order, without those whose file is missing
  read: number;
  of: number;
}

const TOGETHER = 4;

export function useChunks(asked: boolean): Chunks {
  const { images } = useSite();
  const of = images ? Math.ceil(images.count / images.chunk) : 0;
  const [state, setState] = useState<Chunks>({ chunks: [], read: 0, of });
  useEffect(() => {
    if (!asked) return undefined;
    let wanted = true;
    const readAll = async () => {
      const chunks: ImageChunk[] = [];
      for (let start = 0; start < of && wanted; start += TOGETHER) {
        const keys = Array.from({ length: Math.min(TOGETHER, of - start) }, (_, place) => `images/${start + place}`);
        const made = await Promise.all(keys.map((key) => load<ImageChunk>(key).catch(() => null)));
        chunks.push(...made.filter((chunk) => chunk !== null));
        if (wanted) setState({ chunks: [...chunks], read: start + keys.length, of });
      }
    };
    void readAll();
    return () => {
      wanted = false;
    };
  }, [asked, of]);
  return state;
}
