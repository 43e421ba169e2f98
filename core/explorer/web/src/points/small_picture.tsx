/* The small picture of an image, drawn from the tiles that the scatter uses, too: no sheet stays in memory for it. */
import { useEffect, useRef } from "preact/hooks";
import { useSite } from "../site";
import { tilesOf } from "./tiles";

interface Props {
  index: number;
  size: number; // CSS pixels
  alt: string; // "" where the text beside it says all
}

export function SmallPicture({ index, size, alt }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const tiles = tilesOf(useSite());
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!tiles || !context) return undefined;
    let drawn = false;
    context.clearRect(0, 0, tiles.side, tiles.side);
    const draw = () => {
      const place = drawn ? null : tiles.place(index);
      if (!place) return;
      context.drawImage(tiles.canvas, ...place, tiles.side, tiles.side, 0, 0, tiles.side, tiles.side);
      drawn = true;
    };
    draw();
    return tiles.follow(draw);
  }, [tiles, index]);
  if (!tiles) return <span class="tile tile-empty" style={{ width: `${size}px`, height: `${size}px` }} title={alt} />;
  return (
    <canvas
      ref={canvas}
      class="tile"
      width={tiles.side}
      height={tiles.side}
      style={{ width: `${size}px`, height: `${size}px` }}
      role={alt ? "img" : undefined}
      aria-label={alt || undefined}
      aria-hidden={alt ? undefined : true}
    />
  );
}
