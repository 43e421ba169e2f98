/* Units that are among the strongest of some images more often than of all. */
export interface StandingOut {
  unit: number;
  inside: number; // share of the chosen images that have it among their strongest units
  overall: number; // the same of all images
}

export const NONE = 65_535; // in place of a unit, of images that could not be read
const MORE = 1.25; // times as often as in all images, at least

/* The first `most` units by how many standard deviations their number lies above the one expected by chance. */
export function standingOut(strongest: Uint16Array, count: number, chosen: readonly number[], most = 8): StandingOut[] {
  const every = tally(strongest, count, null);
  const own = tally(strongest, count, chosen);
  const images = strongest.filter((unit, n) => n % count === 0 && unit !== NONE).length;
  const readable = chosen.filter((image) => strongest[image * count] !== NONE).length;
  const scored = [...own].map(([unit, times]) => {
    const overall = every.get(unit)! / images;
    const spread = Math.sqrt(readable * overall * (1 - overall)) || 1;
    return { unit, inside: times / readable, overall, score: (times - readable * overall) / spread };
  });
  return scored.filter(({ inside, overall }) => inside >= MORE * overall).sort((a, b) => b.score - a.score || a.unit - b.unit).slice(0, most);
}

function tally(strongest: Uint16Array, count: number, images: readonly number[] | null): Map<number, number> {
  const times = new Map<number, number>();
  const total = images ? images.length : strongest.length / count;
  for (let n = 0; n < total; n++) {
    const image = images ? images[n] : n;
    for (let k = image * count; k < (image + 1) * count; k++) {
      if (strongest[k] !== NONE) times.set(strongest[k], (times.get(strongest[k]) ?? 0) + 1);
    }
  }
  return times;
}
