/* Tables that sort by a column: numbers from the largest, texts from A; what is missing comes last. */

export interface Order {
  by: string;
  down: boolean; // from the largest
}

export type Value = number | string | boolean | null | undefined;

export function sorted<T>(items: T[], value: (item: T) => Value, down: boolean): T[] {
  const sign = down ? -1 : 1;
  const keyed = items.map((item, place) => ({ item, place, key: value(item) }));
  keyed.sort((a, b) => {
    if (isNone(a.key) || isNone(b.key)) return Number(isNone(a.key)) - Number(isNone(b.key)) || a.place - b.place;
    return sign * compare(a.key!, b.key!) || a.place - b.place;
  });
  return keyed.map(({ item }) => item);
}

function isNone(value: Value): boolean {
  return value === null || value === undefined || value === "";
}

function compare(a: number | string | boolean, b: number | string | boolean): number {
  if (typeof a === "string" && typeof b === "string") return a.localeCompare(b, "en", { numeric: true });
  return Number(a) - Number(b);
}

interface HeadProps {
  name: string;
  title: string;
  number?: boolean;
  order: Order;
  onOrder: (order: Order) => void;
}

/* The head of a column; a click sorts, a second one turns the order round. */
export function SortHead({ name, title, number = false, order, onOrder }: HeadProps) {
  const here = order.by === name;
  const next = { by: name, down: here ? !order.down : number && name !== "id" && name !== "unit" };
  return (
    <th scope="col" class={number ? "number" : ""} aria-sort={here ? (order.down ? "descending" : "ascending") : undefined}>
      <button type="button" class="sort" onClick={() => onOrder(next)}>
        {title}
        <span aria-hidden="true">{here ? (order.down ? "\u2009\u2193" : "\u2009\u2191") : ""}</span>
      </button>
    </th>
  );
}
