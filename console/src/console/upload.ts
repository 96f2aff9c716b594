/**
 * One file on its way to the server, in chunks, so that a broken network costs one of them and a closed page costs
 * nothing: the server keeps what it has, and this browser keeps which upload it was. Without a face.
 *
 *     POST /api/v1/uploads → id        PATCH …/{id} with Upload-Offset, until all is there
 *
 * Chunks go by XMLHttpRequest: `fetch` does not tell how much of a body has left.
 */
import { HttpError, refusalReason } from "../shared/api.ts";

export type UploadPhase = "waiting" | "sending" | "paused" | "away" | "taken" | "done" | "failed";

export interface UploadView {
  phase: UploadPhase;
  name: string;
  bytes: number;
  sent: number;
  /** Bytes per second, smoothed; 0 while it is not known. */
  speed: number;
  /** Why it failed, in words. */
  reason: string;
}

/** An upload that the server holds a part of, as this browser remembers it. */
export interface UnfinishedUpload {
  id: string;
  app: string;
  name: string;
  bytes: number;
  /** Of the file, in milliseconds since 1970: another file of the same name and size is not taken for it. */
  changed: number;
}

const UPLOADS = "/api/v1/uploads";
const STORAGE_KEY = "headwater.uploads";
const CHUNK_BYTES = 8 * 1024 * 1024;
const RETRY_MS = { first: 500, max: 15_000, factor: 1.8 } as const;
const FILM = /\.(mp4|m4v|mov|f4v|flv)$/i;
/** No film is this small, and no name this long. */
const NAME_MAX_CHARS = 200;

/** What is wrong with a file before a byte of it is sent; empty when nothing is. */
export function rejectReason(file: { name: string; size: number }): string {
  if (!FILM.test(file.name)) return "Films are MP4, M4V, MOV, F4V or FLV files; this is none by its name.";
  if (file.size === 0) return "The file is empty.";
  if (file.name.length > NAME_MAX_CHARS) return `The name is longer than ${NAME_MAX_CHARS} characters; give the file a shorter one.`;
  return "";
}

export class Upload {
  view: UploadView;
  readonly #file: File;
  readonly #app: string;
  readonly #onView: (view: UploadView) => void;
  #id: string | null = null;
  #replace = false;
  #request: XMLHttpRequest | null = null;
  #running = false;
  #wake: () => void = () => {};
  #mark = { at: 0, sent: 0 };

  constructor(app: string, file: File, onView: (view: UploadView) => void) {
    this.#file = file;
    this.#app = app;
    this.#onView = onView;
    this.view = { phase: "waiting", name: file.name, bytes: file.size, sent: 0, speed: 0, reason: "" };
    this.#id = remembered().find((one) => sameFile(one, app, file))?.id ?? null;
  }

  get id(): string | null {
    return this.#id;
  }

  pause(): void {
    if (this.view.phase !== "sending" && this.view.phase !== "away") return;
    this.#tell({ phase: "paused", speed: 0 });
    this.#request?.abort();
    this.#wake();
  }

  /** Starts, goes on after a pause, or tries again after a failure; settles when it is over or stopped. */
  async start(replace = false): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#replace ||= replace;
    this.#tell({ phase: "sending", reason: "" });
    try {
      await this.#run();
    } finally {
      this.#running = false;
    }
  }

  /** The server forgets what it has of the file. */
  async discard(): Promise<void> {
    this.pause();
    if (this.#id) await forgetUpload(this.#id);
    this.#id = null;
  }

  async #run(): Promise<void> {
    let times = 0;
    while (this.view.phase === "sending" || this.view.phase === "away") {
      const before = this.view.sent;
      try {
        const offset = await this.#whereToGoOn();
        if (!this.#underWay()) return;
        this.#mark = { at: performance.now(), sent: offset };
        this.#tell({ phase: "sending", sent: offset });
        await this.#send(offset);
        return;
      } catch (error) {
        if (!this.#underWay()) return;
        if (error instanceof HttpError && !this.#survives(error)) return;
        times = this.view.sent > before ? 0 : times + 1;
        this.#tell({ phase: "away", speed: 0 });
        await this.#rest(Math.min(RETRY_MS.max, RETRY_MS.first * RETRY_MS.factor ** times));
      }
    }
  }

  /** The server's count is the one that holds: a page may have gone before it heard of the last chunk. */
  async #whereToGoOn(): Promise<number> {
    if (this.#id) {
      const offset = await offsetOf(this.#id);
      if (offset !== null) return offset;
      forget(this.#id);
      this.#id = null;
    }
    const { name, size: bytes } = this.#file;
    const response = await fetch(UPLOADS, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ app: this.#app, name, bytes, ...(this.#replace ? { replace: true } : {}) }),
    });
    if (!response.ok) throw new HttpError(response.status, refusalReason(await response.text()));
    const { id, offset } = (await response.json()) as { id: string; offset: number };
    this.#id = id;
    remember({ id, app: this.#app, name, bytes, changed: this.#file.lastModified });
    return offset;
  }

  async #send(from: number): Promise<void> {
    let offset = from;
    while (offset < this.#file.size) {
      const chunk = this.#file.slice(offset, offset + CHUNK_BYTES);
      offset = await this.#patch(offset, chunk);
      if (!this.#underWay()) return;
      this.#tell({ sent: offset });
    }
    if (this.#id) forget(this.#id);
    this.#tell({ phase: "done", speed: 0, sent: this.#file.size });
  }

  #patch(offset: number, chunk: Blob): Promise<number> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.#request = request;
      request.open("PATCH", `${UPLOADS}/${encodeURIComponent(this.#id ?? "")}`);
      request.setRequestHeader("upload-offset", String(offset));
      request.setRequestHeader("content-type", "application/offset+octet-stream");
      request.upload.onprogress = ({ loaded }) => this.#measure(offset + Math.min(loaded, chunk.size));
      request.onload = () => {
        const taken = Number(request.getResponseHeader("upload-offset") ?? offset + chunk.size);
        if (request.status >= 200 && request.status < 300) resolve(Number.isSafeInteger(taken) && taken > offset ? taken : offset + chunk.size);
        else reject(new HttpError(request.status, refusalReason(request.responseText)));
      };
      request.onerror = request.onabort = request.ontimeout = () => reject(new TypeError("the network broke"));
      request.send(chunk);
    });
  }

  /** A refusal is final, except where the server lost count or track of the upload, or is only busy. */
  #survives(refusal: HttpError): boolean {
    const { status } = refusal;
    // 412: another film has taken the name while this one was on its way.
    if (status === 412 && this.#id) {
      forget(this.#id);
      this.#id = null;
    }
    if (status === 412 || (status === 409 && !this.#id)) {
      this.#tell({ phase: "taken", speed: 0, reason: refusal.reason || "There is a film of this name already." });
      return false;
    }
    const again = [404, 408, 409, 410, 429, 502, 503, 504].includes(status) && this.#id !== null;
    if (!again) this.#tell({ phase: "failed", speed: 0, reason: refusal.message });
    return again;
  }

  #measure(sent: number): void {
    if (!this.#underWay()) return;
    const now = performance.now();
    const passed = (now - this.#mark.at) / 1000;
    let { speed } = this.view;
    if (passed > 0.5) {
      const current = Math.max(0, sent - this.#mark.sent) / passed;
      speed = speed === 0 ? current : speed * 0.7 + current * 0.3;
      this.#mark = { at: now, sent };
    }
    this.#tell({ sent, speed });
  }

  #underWay(): boolean {
    return this.view.phase === "sending" || this.view.phase === "away";
  }

  #tell(news: Partial<UploadView>): void {
    this.view = { ...this.view, ...news };
    this.#onView(this.view);
  }

  async #rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, ms);
    });
  }
}

/** How much the server has; `null` where it knows nothing of this upload (any more). */
async function offsetOf(id: string): Promise<number | null> {
  const response = await fetch(`${UPLOADS}/${encodeURIComponent(id)}`, { cache: "no-store" });
  if (response.status === 404 || response.status === 410) return null;
  if (!response.ok) throw new HttpError(response.status, refusalReason(await response.text()));
  const { offset } = (await response.json()) as { offset: number };
  return offset;
}

/** Uploads that the server still has a part of; what it has forgotten is forgotten here too. */
export async function unfinishedUploads(): Promise<Array<UnfinishedUpload & { sent: number }>> {
  const found = [];
  for (const one of remembered()) {
    const sent = await offsetOf(one.id).catch(() => undefined);
    if (sent === null) forget(one.id);
    else if (sent !== undefined) found.push({ ...one, sent });
  }
  return found;
}

export async function forgetUpload(id: string): Promise<void> {
  forget(id);
  await fetch(`${UPLOADS}/${encodeURIComponent(id)}`, { method: "DELETE" }).catch(() => {});
}

export function sameFile(one: UnfinishedUpload, app: string, file: Pick<File, "name" | "size" | "lastModified">): boolean {
  return one.app === app && one.name === file.name && one.bytes === file.size && one.changed === file.lastModified;
}

function remembered(): UnfinishedUpload[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one?.id === "string" && typeof one.name === "string") : [];
  } catch {
    return [];
  }
}

function remember(one: UnfinishedUpload): void {
  keep([...remembered().filter(({ id }) => id !== one.id), one].slice(-50));
}

function forget(id: string): void {
  keep(remembered().filter((one) => one.id !== id));
}

function keep(uploads: UnfinishedUpload[]): void {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(uploads));
  } catch {
    // Then an upload does not survive the page; all else is as before.
  }
}
