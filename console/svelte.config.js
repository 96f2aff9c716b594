/** Read by the Svelte plug-in and by `svelte-check`. */
export default { compilerOptions: { runes: true } };
