/** The watch page's entry: mounts the page. */
import { mount } from "svelte";
import "../shared/base.css";
import "../shared/player/stage.css";
import Watch from "./Watch.svelte";

mount(Watch, { target: document.getElementById("app") as HTMLElement });
