/** What the server is asked of uploads: the protocol of tus.io, version 1.0, and the list of what is unfinished. */
import { HttpError, refusalReason } from "../shared/api.ts";

export interface Order {
  app: string;
  name: string;
  bytes: number;
  /** Whether a file of that name gives way. */
  replace: boolean;
}

const UPLOADS = "/api/v1/uploads";
const TUS = { "tus-resumable": "1.0.0" } as const;

/** Begins an upload; its identifier. */
export async function createUpload({ app, name, bytes, replace }: Order): Promise<string> {
  const metadata = [`filename ${base64(name)}`, `app ${base64(app)}`, ...(replace ? ["replace"] : [])].join(",");
  const headers = { ...TUS, "upload-length": String(bytes), "upload-metadata": metadata };
  const response = await fetch(UPLOADS, { method: "POST", headers });
  if (!response.ok) throw new HttpError(response.status, refusalReason(await response.text()));
  return response.headers.get("location")?.split("/").pop() ?? "";
}

/** How much the server has of each unfinished upload. */
export async function fetchOffsets(): Promise<Map<string, number>> {
  const response = await fetch(UPLOADS, { cache: "no-store" });
  if (!response.ok) throw new HttpError(response.status, refusalReason(await response.text()));
  const { uploads } = (await response.json()) as { uploads: Array<{ id: string; offset: number }> };
  return new Map(uploads.map(({ id, offset }) => [id, offset]));
}

/** Sends bytes that begin at `offset`; how much the server has then. By XMLHttpRequest: `fetch` does not tell how much of a body has left. */
export function sendChunk(id: string, offset: number, chunk: Blob, onprogress: (sent: number) => void, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.open("PATCH", `${UPLOADS}/${encodeURIComponent(id)}`);
    request.setRequestHeader("tus-resumable", TUS["tus-resumable"]);
    request.setRequestHeader("upload-offset", String(offset));
    request.setRequestHeader("content-type", "application/offset+octet-stream");
    request.upload.onprogress = ({ loaded }) => onprogress(offset + Math.min(loaded, chunk.size));
    request.onload = () => {
      const taken = Number(request.getResponseHeader("upload-offset") ?? offset + chunk.size);
      if (request.status >= 200 && request.status < 300) resolve(Number.isSafeInteger(taken) && taken > offset ? taken : offset + chunk.size);
      else reject(new HttpError(request.status, refusalReason(request.responseText)));
    };
    request.onerror = request.onabort = request.ontimeout = () => reject(new TypeError("the network broke"));
    request.send(chunk);
  });
}

export async function removeUpload(id: string): Promise<void> {
  await fetch(`${UPLOADS}/${encodeURIComponent(id)}`, { method: "DELETE", headers: TUS }).catch(() => {});
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
