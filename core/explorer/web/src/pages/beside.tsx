import { MissingPart } from "../parts/missing";

export function BesideView() {
  return <MissingPart what="beside" text="No second model yet." />;
}
