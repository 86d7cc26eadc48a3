// Saving and loading: packed texts, downloads, and an SVG as a PNG.

import { h } from "../shared.js";

/** Text as it fits into one message: deflated, in base64. */
export async function pack(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let packed = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    packed += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return btoa(packed);
}

/** The text that was packed. */
export async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

/** The name of a file that is saved at this time. */
export function fileName(time, form) {
  return `namespaces-${time.toISOString().slice(0, 19).replaceAll(":", "-")}.${form}`;
}

export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** An SVG as a PNG, twice as large so that it is sharp. */
export async function raster(svg) {
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = h("canvas", { width: 2 * image.naturalWidth, height: 2 * image.naturalHeight });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob(done, "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}
