/* Where a view looks: points lie within -1 .. 1, y upwards; a screen has pixels from its upper left corner. */
export interface Camera {
  x: number; // the point in the middle of the screen
  y: number;
  scale: number; // pixels of one unit
}
export interface Size {
  width: number;
  height: number;
}

const MARGIN = 0.94; // the share of the screen's shorter side that all points take, and their pictures with them
const PICTURE = 26; // pixels from the middle of the largest picture to its frame
export const DEEPEST = 20_000; // as many times nearer than all points

/* All points, in the middle. */
export function whole({ width, height }: Size): Camera {
  const side = Math.min(width, height);
  return { x: 0, y: 0, scale: Math.max(MARGIN * side - 2 * PICTURE, 0.5 * side) / 2 };
}

export function toScreen(camera: Camera, size: Size, x: number, y: number): [number, number] {
  return [(x - camera.x) * camera.scale + size.width / 2, (camera.y - y) * camera.scale + size.height / 2];
}

export function toPoint(camera: Camera, size: Size, left: number, top: number): [number, number] {
  return [camera.x + (left - size.width / 2) / camera.scale, camera.y - (top - size.height / 2) / camera.scale];
}

/* Moved by pixels, as a hand drags a sheet of paper. */
export function panned(camera: Camera, size: Size, right: number, down: number): Camera {
  return within({ ...camera, x: camera.x - right / camera.scale, y: camera.y + down / camera.scale }, size);
}

/* Nearer or further; what lies at this place of the screen stays there. */
export function zoomed(camera: Camera, size: Size, factor: number, left = size.width / 2, top = size.height / 2): Camera {
  const [x, y] = toPoint(camera, size, left, top);
  const least = whole(size).scale * 0.6;
  const scale = Math.min(Math.max(camera.scale * factor, least), least * DEEPEST);
  return within({ x: x - (left - size.width / 2) / scale, y: y + (top - size.height / 2) / scale, scale }, size);
}

/* The nearest view that still has points in sight. */
function within(camera: Camera, _: Size): Camera {
  const clamp = (value: number) => Math.min(Math.max(value, -1.2), 1.2);
  return { ...camera, x: clamp(camera.x), y: clamp(camera.y) };
}

/* The view that shows a rectangle of points, with some room around it. */
export function around(size: Size, box: [number, number, number, number]): Camera {
  const [left, low, right, high] = box;
  const scale = 0.8 * Math.min(size.width / Math.max(right - left, 1e-4), size.height / Math.max(high - low, 1e-4));
  const camera = { x: (left + right) / 2, y: (low + high) / 2, scale: Math.min(scale, whole(size).scale * 40) };
  return zoomed(camera, size, 1);
}
