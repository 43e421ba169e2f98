/* A node of the map: a layer (leads to its page) or closed layers (opens). */
import { plural, shape, short } from "../figure";
import { href } from "../routes";
import { nameWithin, type Part } from "./tree";
import type { Box } from "./view";

export type Quantity = "parameters" | "flops" | "dead";

/* A part's amount of what the map is coloured by; dead units as a share of those that were looked at. */
export function amount(part: Part, by: Quantity): number | null {
  if (by !== "dead") return part[by];
  return part.dead === null || !part.units ? null : part.dead / part.units;
}

interface NodeProps {
  box: Box;
  share: number | null; // of the largest amount that is drawn
  state: string; // "", "chosen", "near", "far"
  onOpen: (part: Part) => void;
  onHover: (id: string | null) => void;
}

export function Node({ box, share, state, onOpen, onHover }: NodeProps) {
  const { part, x, y, width, height } = box;
  const { layer } = part;
  const folded = part.parts.length > 0;
  const shared = {
    class: `node ${folded ? "node-folded" : layer?.page ? "" : "node-bare"} ${state ? `node-${state}` : ""} step-${share === null ? 0 : Math.ceil(share * 4)}`,
    style: { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px`, "--share": share ?? 0 },
    "data-part": part.id,
    title: describe(part),
    onPointerEnter: () => onHover(part.id),
    onPointerLeave: () => onHover(null),
    onFocus: () => onHover(part.id),
    onBlur: () => onHover(null),
  };
  const inside = <Inside part={part} />;
  if (folded) {
    return (
      <button type="button" {...shared} aria-expanded={false} onClick={() => onOpen(part)}>
        {inside}
      </button>
    );
  }
  return (
    <a {...shared} href={href.layer(part.first)} draggable={false}>
      {inside}
    </a>
  );
}

function Inside({ part }: { part: Part }) {
  const { layer } = part;
  const dead = amount(part, "dead");
  return (
    <>
      <span class="node-line">
        <b>{nameWithin(part)}</b>
        {part.times > 1 && <i>{`\u00d7\u2009${part.times}`}</i>}
        <span class="number">{part.parameters ? short(part.parameters) : ""}</span>
      </span>
      <span class="node-line node-second">
        <span class="node-kind">{layer ? `${layer.kind}  ${shape(layer.shape)}` : plural(part.layers, "layer")}</span>
        <span class="number">{part.flops ? `${short(part.flops)} FLOP` : ""}</span>
      </span>
      {dead !== null && dead > 0 && <span class="node-dead" style={{ width: `${Math.max(2, dead * 100)}%` }} />}
    </>
  );
}

export function describe(part: Part): string {
  const { layer } = part;
  return [
    part.times > 1 ? `${part.title} (${part.times} alike)` : part.title,
    layer ? layer.kind : plural(part.layers, "layer"),
    layer ? shape(layer.shape) : "",
    part.parameters ? plural(part.parameters, "parameter") : "",
    part.flops ? `${short(part.flops)} FLOPs` : "",
    part.dead === null ? "" : `${part.dead} of ${plural(part.units, "unit")} dead`,
  ]
    .filter(Boolean)
    .join(", ");
}
