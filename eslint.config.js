/**
 * What the compiler does not say: promises left alone, switches that miss a case, files that hold more
 * than one concept, and time, randomness or I/O inside the pure parts.
 */
import tseslint from 'typescript-eslint';

const impure = (name) => ({ name, message: 'Pure code gets time, randomness and I/O as arguments.' });

export default tseslint.config(
  { ignores: ['build/', 'data/', 'coverage/', 'node_modules/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: ['error', 'always'],
      'max-lines': ['error', { max: 400 }],
      'prefer-const': 'error',
    },
  },
  {
    files: ['domain/**/*.ts', 'projections/**/*.ts', 'storage-nodes/replication/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Date',
          'process',
          'performance',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
          'fetch',
          'Intl',
          'crypto',
        ].map(impure),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: impure('random').message },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['node:*'], message: 'Pure code imports no node: module.' }] },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'AwaitExpression', message: 'Pure code is synchronous.' },
        { selector: ':function[async=true]', message: 'Pure code is synchronous.' },
      ],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}', 'ops/bin/penncloud'],
    languageOptions: { ecmaVersion: 2024 },
    rules: {
      eqeqeq: ['error', 'always'],
      'prefer-const': 'error',
      'no-var': 'error',
      'max-lines': ['error', { max: 400 }],
    },
  },
);
