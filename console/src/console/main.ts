/** The console's entry: mounts the page. */
import { mount } from "svelte";
import "../shared/base.css";
import { LANGUAGE } from "../shared/language.ts";
import "./cards.css";
import Console from "./Console.svelte";

document.documentElement.lang = LANGUAGE;
mount(Console, { target: document.getElementById("app") as HTMLElement });
