import { MissingPart } from "../parts/missing";

export function PointsView(_: { which: number }) {
  return <MissingPart what="points" text="No points yet." />;
}
