import { MissingPart } from "../parts/missing";

export function PictureView(_: { index: number }) {
  return <MissingPart what="pictures" text="No page of pictures yet." />;
}
