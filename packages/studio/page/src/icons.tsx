const PATHS = {
  search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM15.5 15.5 20 20',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  back: 'M14 6l-6 6 6 6',
  refresh: 'M19 12a7 7 0 1 1-2-5M19 4v4h-4',
  help: 'M9.5 9.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M12 17v.2',
  system: 'M4 5h16v11H4zM9 20h6',
  light:
    'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8ZM12 3v1M12 20v1M3 12h1M20 12h1M5.6 5.6l.7.7M17.7 17.7l.7.7M5.6 18.4l.7-.7M17.7 6.3l.7-.7',
  dark: 'M19 14.5A7.5 7.5 0 1 1 9.5 5a6 6 0 0 0 9.5 9.5Z',
  close: 'M6 6l12 12M18 6 6 18',
  request: 'M4 12h14M13 7l5 5-5 5',
  notification: 'M4 5h16v11H11l-4 4v-4H4z',
  answer: 'M5 12l5 5 9-10',
  error: 'M7 7l10 10M17 7 7 17',
  mark: 'M12 5l7 7-7 7-7-7z',
  other: 'M6 12h.2M12 12h.2M18 12h.2',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): preact.JSX.Element {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
