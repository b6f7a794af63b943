import { defineConfig } from 'vite'

/** All paths are relative, so the page works at any address and without a server. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  build: {
    outDir: '../dist/playground',
    emptyOutDir: true,
    target: 'es2024',
    modulePreload: false,
    chunkSizeWarningLimit: 1_500
  },
  logLevel: 'warn'
})
