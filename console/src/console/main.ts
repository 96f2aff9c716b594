/** The console's entry: mounts the page. */
import { mount } from "svelte";
import "../shared/base.css";
import Console from "./Console.svelte";

mount(Console, { target: document.getElementById("app") as HTMLElement });
