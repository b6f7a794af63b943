import { defineConfig } from 'vite'

/** The page works at any address and needs no server: every path in it is relative. */
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
