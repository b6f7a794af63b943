import neostandard from 'neostandard'
import tseslint from 'typescript-eslint'

// Format, and the rules that need no types. Rules that need types run in oxlint: .oxlintrc.json.
export default [
  { ignores: ['node_modules', '.tap', 'dist', 'coverage', 'eslint.config.js'] },
  ...neostandard({ ts: true }),
  ...tseslint.configs.strict,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      complexity: ['error', 10],
      'max-params': ['error', 3],
      'max-len': ['error', { code: 120, ignoreUrls: true, ignoreRegExpLiterals: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      'no-duplicate-imports': 'error',
      // Left to oxlint, which sees types.
      'prefer-promise-reject-errors': 'off'
    }
  },
  {
    // Expected messages and manifests stay on one line.
    files: ['test/e2e/**', 'test/chaos/**'],
    rules: {
      'max-len': ['error', {
        code: 120, ignoreUrls: true, ignoreRegExpLiterals: true, ignoreStrings: true, ignoreTemplateLiterals: true
      }]
    }
  }
]
