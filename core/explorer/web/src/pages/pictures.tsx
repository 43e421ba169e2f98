import { MissingPart } from "../parts/missing";

export function PicturesView() {
  return <MissingPart what="pictures" text="No pictures yet." />;
}
