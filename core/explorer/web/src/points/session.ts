/* What a reader has set on the page of points, kept while other pages are open. */
import type { Camera } from "./camera";
import type { By } from "./colours";

export interface Session {
  by: By | null; // null: labels where there are some
  hidden: Set<number>;
  text: string;
  chosen: number[];
  pictures: boolean;
  camera: Camera | null;
}

export const session: Session = { by: null, hidden: new Set(), text: "", chosen: [], pictures: true, camera: null };
