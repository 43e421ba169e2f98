import { MissingPart } from "../parts/missing";

export function AtlasView(_: { which: number }) {
  return <MissingPart what="atlas" text="No atlas yet." />;
}
