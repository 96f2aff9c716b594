/**
 * Whether the address of a watch page names a film or a live stream. A name that looks like a film's is asked for as
 * a film first; any other is a stream, with no question before it, until the server says that it knows none: then it
 * may still be a film. Without a face; the question to the server is an argument.
 */
import { looksLikeFilm, type StreamName } from "../shared/address.ts";
import type { Film, FilmLookup } from "../shared/api.ts";
import { NOT_ALLOWED, type Failure } from "../shared/player/failure.ts";
import { t } from "../shared/language.ts";

export type Page =
  /** The server is asked. */
  | { kind: "loading" }
  /** `filmMissing`: the name is one of a film that the server has not got. */
  | { kind: "live"; filmMissing: boolean }
  | { kind: "film"; film: Film }
  | { kind: "failed"; failure: Failure };

export class PageChoice {
  page: Page;
  readonly #likely: boolean;
  readonly #lookUp: () => Promise<FilmLookup>;
  readonly #onPage: (page: Page) => void;
  /** A stream is asked about once, a film that is missing again and again: it may just be on its way. */
  #asked = false;

  /** `name`: `null` where the address names nothing. */
  constructor(name: StreamName | null, lookUp: () => Promise<FilmLookup>, onPage: (page: Page) => void) {
    this.#likely = name !== null && looksLikeFilm(name);
    this.#lookUp = lookUp;
    this.#onPage = onPage;
    this.page = this.#likely ? { kind: "loading" } : { kind: "live", filmMissing: false };
  }

  /** Asks first where the name looks like a film's; also after a failure. */
  async start(): Promise<void> {
    if (!this.#likely) return;
    this.#show({ kind: "loading" });
    await this.#ask();
    if (this.page.kind === "loading") this.#show({ kind: "live", filmMissing: true });
  }

  /** The server knows no stream of this name (now). */
  async streamAbsent(): Promise<void> {
    if (this.page.kind === "film" || (this.#asked && !this.#likely)) return;
    await this.#ask();
  }

  async #ask(): Promise<void> {
    this.#asked = true;
    const answer = await this.#lookUp();
    if (answer.kind === "found") return this.#show({ kind: "film", film: answer.film });
    if (answer.kind !== "refused" || !this.#likely) return;
    const allowed = answer.status !== 401 && answer.status !== 403;
    this.#show({ kind: "failed", failure: allowed ? { title: t("This film can’t be played", "此影片无法播放"), detail: answer.reason, elsewhere: false } : NOT_ALLOWED });
  }

  #show(page: Page): void {
    this.page = page;
    this.#onPage(page);
  }
}
