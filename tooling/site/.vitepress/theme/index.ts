import { useData, useRoute, withBase, type Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { defineComponent, h, nextTick, onMounted, watch } from 'vue';

interface Mermaid {
  initialize(options: object): void;
  run(options: { readonly nodes: readonly Element[] }): Promise<void>;
}

/** Draws the diagrams of the page. Their text stays readable without JavaScript. */
async function drawDiagrams(isDark: boolean): Promise<void> {
  const nodes = [...document.querySelectorAll<HTMLElement>('.diagram')];
  if (nodes.length === 0) return;
  const from: string = withBase('/mermaid/mermaid.esm.min.mjs');
  const { default: mermaid } = (await import(/* @vite-ignore */ from)) as { readonly default: Mermaid };
  mermaid.initialize({ startOnLoad: false, theme: isDark ? 'dark' : 'neutral', fontFamily: 'inherit' });
  for (const node of nodes) {
    node.dataset['source'] ??= node.textContent;
    node.textContent = node.dataset['source'];
    delete node.dataset['processed'];
  }
  await mermaid.run({ nodes });
}

const Layout = defineComponent({
  setup: () => {
    const { isDark } = useData();
    const route = useRoute();
    const draw = (): void => void nextTick(async () => drawDiagrams(isDark.value));
    onMounted(draw);
    watch(() => [route.path, isDark.value], draw);
    return () => h(DefaultTheme.Layout);
  },
});

const theme: Theme = { extends: DefaultTheme, Layout };

export default theme;
