/**
 * One file on its way to the server, in chunks, so that a broken network costs one of them and a closed page costs
 * nothing: the server keeps what it has, and this browser keeps which upload it was. What goes wrong is said in the
 * upload's own view: a connection that broke, a refusal, a file that has changed on the way, a film that can't be played.
 * Without a face.
 */
import { encodePath, looksLikeFilm } from "../shared/address.ts";
import { HttpError, lookUpFilm } from "../shared/api.ts";
import { t } from "../shared/language.ts";
import { createUpload, fetchOffsets, removeUpload, sendChunk } from "./tus.ts";

export type UploadPhase = "waiting" | "sending" | "paused" | "away" | "taken" | "done" | "failed";

export interface UploadView {
  phase: UploadPhase;
  name: string;
  bytes: number;
  sent: number;
  /** Bytes per second, smoothed; 0 while it is not known. */
  speed: number;
  /** What is wrong, in words: why it failed, why it waits, or what is wrong with the film that has come. */
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

const STORAGE_KEY = "headwater.uploads";
const CHUNK_BYTES = 8 * 1024 * 1024;
const RETRY_MS = { first: 500, max: 15_000, factor: 1.8 } as const;
/** What the server takes: films, sound, and subtitles beside them. */
export const ENDINGS = [".mp4", ".m4v", ".mov", ".f4v", ".flv", ".m4a", ".vtt", ".srt"] as const;
/** No film is this small, and no name this long. */
const NAME_MAX_CHARS = 200;

/** What is wrong with a file before a byte of it is sent; empty when nothing is. */
export function rejectReason(file: { name: string; size: number }): string {
  if (!ENDINGS.some((ending) => file.name.toLowerCase().endsWith(ending))) {
    return t(
      "Films are MP4, M4V, MOV, F4V, FLV or M4A files, subtitles VTT or SRT; this is none by its name.",
      "影片应为 MP4、M4V、MOV、F4V、FLV 或 M4A 文件，字幕应为 VTT 或 SRT；从名称看，这个文件不是。",
    );
  }
  if (file.size === 0) return t("The file is empty.", "文件是空的。");
  if (file.name.length > NAME_MAX_CHARS) return t(`The name is longer than ${NAME_MAX_CHARS} characters; give the file a shorter one.`, `名称超过 ${NAME_MAX_CHARS} 个字符，请改短一些。`);
  return "";
}

/** The browser can't read the file any more. */
class Unreadable extends Error {}

export class Upload {
  view: UploadView;
  readonly #file: File;
  readonly #app: string;
  readonly #onView: (view: UploadView) => void;
  #id: string | null = null;
  #replace = false;
  #sending = new AbortController();
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
    this.#sending.abort();
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
        if (error instanceof Unreadable) {
          return this.#tell({ phase: "failed", speed: 0, reason: t("The file has changed or is gone since it was chosen. Choose it again.", "文件在选择之后被修改或移走了，请重新选择。") });
        }
        if (error instanceof HttpError && !this.#survives(error)) return;
        times = this.view.sent > before ? 0 : times + 1;
        const reason = error instanceof HttpError ? error.message : t("The connection broke.", "连接中断了。");
        this.#tell({ phase: "away", speed: 0, reason });
        await this.#rest(Math.min(RETRY_MS.max, RETRY_MS.first * RETRY_MS.factor ** times));
      }
    }
  }

  /** The server's count is the one that holds: a page may have gone before it heard of the last chunk. */
  async #whereToGoOn(): Promise<number> {
    if (this.#id) {
      const offset = (await fetchOffsets()).get(this.#id);
      if (offset !== undefined) return offset;
      forget(this.#id);
      this.#id = null;
    }
    const { name, size: bytes } = this.#file;
    const id = (this.#id = await createUpload({ app: this.#app, name, bytes, replace: this.#replace }));
    remember({ id, app: this.#app, name, bytes, changed: this.#file.lastModified });
    return 0;
  }

  async #send(from: number): Promise<void> {
    let offset = from;
    while (offset < this.#file.size) {
      const chunk = this.#file.slice(offset, offset + CHUNK_BYTES);
      await readable(chunk);
      this.#sending = new AbortController();
      offset = await sendChunk(this.#id ?? "", offset, chunk, (sent) => this.#measure(sent), this.#sending.signal);
      if (!this.#underWay()) return;
      this.#tell({ phase: "sending", sent: offset, reason: "" });
    }
    if (this.#id) forget(this.#id);
    this.#tell({ phase: "done", speed: 0, sent: this.#file.size, reason: "" });
    await this.#check();
  }

  /** What has come whole may still be cut or broken: the server is asked whether it plays. */
  async #check(): Promise<void> {
    const film = { app: this.#app, name: this.#file.name };
    if (/\.(vtt|srt)$/i.test(film.name) || !looksLikeFilm(film)) return;
    const answer = await lookUpFilm(encodePath(film));
    if (answer.kind !== "refused") return;
    this.#tell({ reason: t(`It is on the server, but can’t be played. ${answer.reason}`, `文件已在服务器上，但无法播放。${answer.reason}`) });
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
      this.#tell({ phase: "taken", speed: 0, reason: t(refusal.reason || "There is a film of this name already.", "已经有同名的影片了。") });
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

/** Uploads that the server still has a part of; what it has forgotten is forgotten here too. */
export async function unfinishedUploads(): Promise<Array<UnfinishedUpload & { sent: number }>> {
  const known = remembered();
  if (known.length === 0) return [];
  try {
    const offsets = await fetchOffsets();
    for (const { id } of known) if (!offsets.has(id)) forget(id);
    return known.flatMap((one) => {
      const sent = offsets.get(one.id);
      return sent === undefined ? [] : [{ ...one, sent }];
    });
  } catch {
    return [];
  }
}

export async function forgetUpload(id: string): Promise<void> {
  forget(id);
  await removeUpload(id);
}

/** A file that was changed or moved since it was chosen can't be read; the network's errors look the same later. */
async function readable(chunk: Blob): Promise<void> {
  try {
    await chunk.slice(0, 1).arrayBuffer();
  } catch {
    throw new Unreadable();
  }
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
