/**
 * The catalogue as the console shows it: one page of it, for one search, both kept in the address (`#films?search=…`)
 * so that a reload and the browser's back button are where one was.
 */
import { deleteFilm, fetchFilms, HttpError, reasonOf, renameFilm, type Film } from "../shared/api.ts";
import { encodePath } from "../shared/address.ts";
import { formatHash, parseHash } from "./route.ts";
import { t } from "../shared/language.ts";

export const PER_PAGE = 24;
const SEARCH_DEBOUNCE_MS = 250;
const RETRY_MS = 4000;
/** What grows is asked for again, so that it is seen to end. */
const GROWING_MS = 5000;

export class Films {
  list = $state.raw<Film[] | null>(null);
  total = $state(0);
  search = $state("");
  page = $state(1);
  error = $state("");
  /** The error is that the admin token is missing. */
  unauthorized = $state(false);
  loading = $state(false);

  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  get pages(): number {
    return Math.max(1, Math.ceil(this.total / PER_PAGE));
  }

  /** Follows the address; returns how to stop. */
  start(): () => void {
    const follow = () => {
      const { films, search, page } = parseHash(window.location.hash);
      if (!films) return;
      [this.search, this.page] = [search, page];
      void this.refresh();
    };
    window.addEventListener("hashchange", follow);
    follow();
    return () => {
      this.#turn++;
      clearTimeout(this.#timer);
      window.removeEventListener("hashchange", follow);
    };
  }

  /** A search is typed letter by letter: asked when the typing rests, from the first page on. */
  setSearch(search: string): void {
    this.search = search;
    this.page = 1;
    history.replaceState(null, "", formatHash(search, 1));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), SEARCH_DEBOUNCE_MS);
  }

  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    this.loading = true;
    try {
      const { films, total } = await fetchFilms(this.search, (this.page - 1) * PER_PAGE, PER_PAGE);
      if (turn !== this.#turn) return;
      [this.list, this.total, this.error, this.unauthorized] = [films, total, "", false];
      if (films.some((film) => film.growing)) this.#timer = setTimeout(() => void this.refresh(), GROWING_MS);
      // The last film of the last page is gone: there is a page before it.
      if (films.length === 0 && total > 0 && this.page > this.pages) window.location.hash = formatHash(this.search, this.pages);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.error = error instanceof HttpError ? error.message : t("The server does not answer. Trying again…", "服务器没有响应，正在重试…");
      this.unauthorized = error instanceof HttpError && error.status === 401;
      this.#timer = setTimeout(() => void this.refresh(), RETRY_MS);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  /** Empty when it is gone, else why it is not. */
  async remove(film: Film): Promise<string> {
    try {
      await deleteFilm(encodePath(film));
    } catch (error) {
      if (!(error instanceof HttpError)) return t("The server does not answer; the film is still there.", "服务器没有响应；影片仍在。");
      if (error.status !== 404) return error.message;
    }
    await this.refresh();
    return "";
  }

  /** Empty when it has the name, else why it has not. */
  async rename(film: Film, name: string): Promise<string> {
    try {
      await renameFilm(encodePath(film), name);
    } catch (error) {
      return reasonOf(error, t("The server does not answer; the film keeps its name.", "服务器没有响应；影片名称未变。"));
    }
    await this.refresh();
    return "";
  }
}
