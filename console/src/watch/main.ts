/** The watch page's entry: mounts the page. */
import { mount } from "svelte";
import "../shared/base.css";
import { LANGUAGE } from "../shared/language.ts";
import "../shared/player/stage.css";
import Watch from "./Watch.svelte";

document.documentElement.lang = LANGUAGE;
mount(Watch, { target: document.getElementById("app") as HTMLElement });
