/**
 * The state machine of a film's page, without a browser: what is shown around the picture (the offer to go on, the open
 * panel, what was just done, in words), what every key does, and where the film was left. The film itself is
 * `Playback`'s business; here it is steered.
 */
import { shortName } from "../shared/address.ts";
import type { Film } from "../shared/api.ts";
import { language } from "../shared/format.ts";
import { IdleTimer } from "../shared/player/idle.ts";
import type { Command } from "../shared/player/keys.ts";
import { rememberedVolume, setVolume, toggleMuted, type Sounding } from "../shared/player/volume.ts";
import type { FilmPhase, FilmView, Playback } from "./playback.ts";
import { resumeTime, saveResumePoint, type Store } from "./resume.ts";
import { t } from "../shared/language.ts";

export interface PageView {
  /** `null` until the player has said something. */
  film: FilmView | null;
  phase: FilmPhase;
  /** There is a picture, and controls under it. */
  shown: boolean;
  /** It plays as soon as somebody asks for it. */
  stopped: boolean;
  /** Nobody touches the page: the controls are away. */
  quiet: boolean;
  /** Where the viewer left the film, in seconds, while going on there is on offer. */
  resumeAt: number | null;
  panel: "settings" | "about" | null;
  /** The shown one of the film's subtitles, or −1. */
  subtitle: number;
  /** What was just done, in words. */
  message: string;
  /** A place that a key has just gone to: its thumbnail is shown for a moment. */
  peek: number | null;
  muted: boolean;
  volume: number;
}

/** What the page itself does, when it is told to. */
export interface PageActions {
  fetchThumbnails(): void;
  toggleFullscreen(): void;
  togglePip(): void;
  /** The settings were closed: the keyboard goes back to their button. */
  focusSettingsButton(): void;
}

export const RATES = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3] as const;
const MESSAGE_MS = 1100;
const SAVE_EVERY_MS = 5000;
/** Who has watched so far from the start does not mean to go on elsewhere. */
const OFFER_UNTIL_S = 25;
/** Of a film whose frame rate nobody knows. */
const ONE_FRAME_S = 0.04;

type Player = Pick<Playback, "toggle" | "play" | "seek" | "setRate">;

export class PageState {
  view: PageView;
  readonly subtitleNames: string[];
  readonly #film: Film;
  readonly #store: Store;
  readonly #actions: PageActions;
  readonly #onView: (view: PageView) => void;
  readonly #idleTimer = new IdleTimer(() => this.#tell({}));
  readonly #frame: number;
  #player: Player | null = null;
  #element: Sounding | null = null;
  #wasIdle = false;
  #messageTimer: ReturnType<typeof setTimeout> | undefined;
  #peekTimer: ReturnType<typeof setTimeout> | undefined;
  #saveTimer: ReturnType<typeof setInterval> | undefined;

  /** `startAt`: the second that the address names. With one, going on elsewhere is not on offer. */
  constructor(film: Film, startAt: number | null, store: Store, actions: PageActions, onView: (view: PageView) => void) {
    this.#film = film;
    this.#store = store;
    this.#actions = actions;
    this.#onView = onView;
    this.subtitleNames = (film.subtitles ?? []).map((one) => language(one.language) || shortName(one.name, 40));
    const rate = film.tracks?.find((track) => track.kind === "video")?.frame_rate;
    this.#frame = rate ? 1 / rate : ONE_FRAME_S;
    const resumeAt = startAt === null ? resumeTime(store, this.#key, film.duration ?? 0) : null;
    this.view = {
      ...{ film: null, phase: "opening", shown: false, stopped: false, quiet: false, resumeAt, panel: null, subtitle: -1 },
      ...{ message: "", peek: null, muted: false, volume: rememberedVolume() },
    };
  }

  /** The player is there; from now on the page can be used. */
  start(player: Player, element: Sounding): void {
    this.#player = player;
    this.#element = element;
    this.#saveTimer = setInterval(() => this.savePlace(), SAVE_EVERY_MS);
  }

  stop(): void {
    this.#idleTimer.stop();
    clearTimeout(this.#messageTimer);
    clearTimeout(this.#peekTimer);
    clearInterval(this.#saveTimer);
  }

  // What the player and the element say.

  filmChanged(film: FilmView): void {
    const before = this.view.film?.phase;
    const watchedOn = film.time > OFFER_UNTIL_S && film.phase === "playing";
    this.#tell(watchedOn ? { film, resumeAt: null } : { film });
    if (before !== film.phase && (film.phase === "paused" || film.phase === "ended")) this.savePlace();
  }

  volumeChanged({ muted, volume }: Sounding): void {
    this.#tell({ muted, volume });
  }

  /** While going on elsewhere is on offer, the place that is offered must not be lost. */
  savePlace(): void {
    const { film, shown, phase, resumeAt } = this.view;
    if (!film || !shown || resumeAt !== null) return;
    saveResumePoint(this.#store, this.#key, phase === "ended" ? film.duration : film.time, film.duration, Date.now());
  }

  // What the viewer does.

  run(command: Command): void {
    const { film, shown, stopped, subtitle, panel, muted, volume } = this.view;
    const now = film?.time ?? 0;
    if (!shown && command.kind !== "fullscreen") return;
    if (command.kind === "toggle") this.#player?.toggle();
    else if (command.kind === "by") this.#jump(now + command.seconds, `${command.seconds > 0 ? "+" : "−"}${t(`${Math.abs(command.seconds)} s`, `${Math.abs(command.seconds)} 秒`)}`);
    else if (command.kind === "share") this.#jump((film?.duration ?? 0) * command.share);
    else if (command.kind === "frame" && stopped) this.#jump(now + command.frames * this.#frame);
    else if (command.kind === "volume") this.#changeVolume((muted ? 0 : volume) + command.by);
    else if (command.kind === "rate") this.#stepRate(command.by);
    else if (command.kind === "mute") this.toggleMuted();
    else if (command.kind === "subtitles" && this.subtitleNames.length > 0) this.setSubtitle(subtitle + 1 < this.subtitleNames.length ? subtitle + 1 : -1);
    else if (command.kind === "fullscreen") this.#actions.toggleFullscreen();
    else if (command.kind === "pip") this.#actions.togglePip();
    else if (command.kind === "about") this.openPanel(panel === "about" ? null : "about");
    else if (command.kind === "close") this.closePanel();
  }

  /** Somebody is there: the controls come back. */
  touched(): void {
    this.#wasIdle = this.#idleTimer.idle;
    this.#idleTimer.restart();
  }

  /** A finger first brings the controls back, and then puts them away; a mouse plays and pauses. */
  pictureClicked(byTouch: boolean): void {
    if (this.view.panel !== null) return this.openPanel(null);
    if (!byTouch) return this.#player?.toggle();
    if (!this.#wasIdle && this.view.phase === "playing") this.#idleTimer.expire();
  }

  seek(to: number): void {
    this.declineOffer();
    this.#player?.seek(to);
  }

  acceptOffer(): void {
    this.seek(this.view.resumeAt ?? 0);
    this.#player?.play();
  }

  declineOffer(): void {
    if (this.view.resumeAt !== null) this.#tell({ resumeAt: null });
  }

  setVolume(to: number): void {
    if (this.#element) setVolume(this.#element, to);
  }

  toggleMuted(): void {
    if (!this.#element) return;
    toggleMuted(this.#element);
    this.say(this.#element.muted ? t("Muted", "已静音") : t("Sound on", "声音已打开"));
  }

  setRate(to: number): void {
    this.#player?.setRate(to);
    this.say(to === 1 ? t("Normal speed", "正常速度") : `${to}×`);
  }

  setSubtitle(to: number): void {
    this.#tell({ subtitle: to });
    this.say(to < 0 ? t("Subtitles off", "字幕已关闭") : t(`Subtitles: ${this.subtitleNames[to]}`, `字幕：${this.subtitleNames[to]}`));
  }

  openPanel(panel: PageView["panel"]): void {
    this.#tell({ panel });
  }

  closePanel(): void {
    const before = this.view.panel;
    this.openPanel(null);
    if (before === "settings") this.#actions.focusSettingsButton();
  }

  say(message: string): void {
    this.#tell({ message });
    clearTimeout(this.#messageTimer);
    this.#messageTimer = setTimeout(() => this.#tell({ message: "" }), MESSAGE_MS);
  }

  get #key(): string {
    return `${this.#film.app}/${this.#film.name}`;
  }

  /** By key: nothing points at the line, so the thumbnail of the place is shown for a moment. */
  #jump(to: number, message = ""): void {
    this.seek(to);
    this.#actions.fetchThumbnails();
    this.#tell({ peek: this.view.film?.time ?? null });
    clearTimeout(this.#peekTimer);
    this.#peekTimer = setTimeout(() => this.#tell({ peek: null }), MESSAGE_MS);
    if (message) this.say(message);
  }

  #changeVolume(to: number): void {
    const volume = Math.min(1, Math.max(0, Math.round(to * 20) / 20));
    this.setVolume(volume);
    this.say(t(`Volume ${Math.round(volume * 100)} %`, `音量 ${Math.round(volume * 100)} %`));
  }

  #stepRate(by: number): void {
    const now = RATES.findIndex((one) => one >= (this.view.film?.rate ?? 1) - 1e-6);
    this.setRate(RATES[Math.min(RATES.length - 1, Math.max(0, now + by))] ?? 1);
  }

  #tell(news: Partial<PageView>): void {
    const next = { ...this.view, ...news };
    const phase = next.film?.phase ?? "opening";
    this.view = {
      ...next,
      phase,
      shown: next.film !== null && phase !== "opening" && phase !== "failed",
      stopped: phase === "ready" || phase === "paused" || phase === "ended",
      quiet: this.#idleTimer.idle && phase === "playing" && next.panel === null && next.resumeAt === null,
    };
    this.#onView(this.view);
  }
}
