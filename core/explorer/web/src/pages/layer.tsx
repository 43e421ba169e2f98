import { MissingPart } from "../parts/missing";

export function LayerView(_: { layer: number }) {
  return <MissingPart what="units" text="No layer yet." />;
}
