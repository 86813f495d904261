import { render } from 'preact';
import { takeToken } from './api.ts';
import { App } from './app.tsx';
import { listenToKeys } from './keys.ts';
import { reload } from './list-model.ts';
import { begin, countKinds, note } from './model.ts';
import { openFromHistory } from './session-model.ts';

const root = document.querySelector('#app');
takeToken();
if (root !== null) render(<App />, root);
listenToKeys();
addEventListener('popstate', () => void openFromHistory().catch(note));
await begin();
reload();
void countKinds();
void openFromHistory().catch(note);
