/* Numbers from base64, little-endian, as Python wrote them. */
export function bytes(text: string): ArrayBuffer {
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let n = 0; n < binary.length; n++) out[n] = binary.charCodeAt(n);
  return out.buffer;
}

export function floats(text: string): Float32Array {
  return new Float32Array(bytes(text));
}

export function shorts(text: string): Uint16Array {
  return new Uint16Array(bytes(text));
}
