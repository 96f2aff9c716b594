/** Tells when nobody has touched the page for a while: then the controls go. */

const IDLE_AFTER_MS = 2800;

export class IdleTimer {
  idle = false;
  readonly #onChange: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Somebody is there. */
  restart(): void {
    this.#set(false);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.expire(), IDLE_AFTER_MS);
  }

  expire(): void {
    this.#set(true);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #set(idle: boolean): void {
    if (idle === this.idle) return;
    this.idle = idle;
    this.#onChange();
  }
}
