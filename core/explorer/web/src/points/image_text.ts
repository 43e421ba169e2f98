/* An image in words, the same everywhere on the page of points. */
import { figure } from "../figure";
import { className } from "../site";
import type { Site } from "../data";
import type { Images } from "./images";

export interface ImageText {
  id: string;
  label: string; // "" for none
  predicted: string;
  score: string;
}

export function imageText(site: Site, images: Images, index: number): ImageText {
  const [label, predicted, score] = [images.label[index], images.predicted[index], images.score[index]];
  return {
    id: images.ids[index] || `image ${index}`,
    label: label < 0 ? "" : images.labels[label],
    predicted: predicted < 0 ? "" : className(site, predicted),
    score: score === score ? figure(score) : "",
  };
}

/* As one line, for a picture's text. */
export function inOneLine({ id, label, predicted, score }: ImageText): string {
  const parts = [id, label && `labelled ${label}`, predicted && `predicted ${predicted}${score && ` (${score})`}`];
  return parts.filter(Boolean).join(", ");
}
