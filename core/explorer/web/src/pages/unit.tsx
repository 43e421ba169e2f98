import { MissingPart } from "../parts/missing";

export function UnitPageView(_: { layer: number; unit: number }) {
  return <MissingPart what="units" text="No page of units yet." />;
}
