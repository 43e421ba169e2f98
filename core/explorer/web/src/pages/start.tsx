import { MissingPart } from "../parts/missing";

export function StartView() {
  return <MissingPart what="data" text="No start yet." />;
}
