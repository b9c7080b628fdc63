@echo off
rem Called by the launchers: makes the virtual environment for the extra named in %1 (none: the engine's), once.
rem All output goes to stderr: the engine's stdout belongs to UCI.
set "TRANSCENDENCE_ROOT=%~dp0.."
set "TRANSCENDENCE_PYTHON=%TRANSCENDENCE_ROOT%\.venv\Scripts\python.exe"
set "FEATURE=%~1"
if "%FEATURE%"=="" (set "READY=engine" & set "EXTRA=") else (set "READY=%FEATURE%" & set "EXTRA=[%FEATURE%]")
if exist "%TRANSCENDENCE_ROOT%\.venv\ready-%READY%" exit /b 0
echo transcendence: first use: preparing the environment for '%READY%' (a few minutes at most) 1>&2
if not exist "%TRANSCENDENCE_PYTHON%" (
  py -3 -m venv "%TRANSCENDENCE_ROOT%\.venv" 1>&2 || python -m venv "%TRANSCENDENCE_ROOT%\.venv" 1>&2 || (
    echo transcendence: expected Python 3.11 or newer, found none. Install it from python.org and try again. 1>&2
    exit /b 1
  )
)
"%TRANSCENDENCE_PYTHON%" -m pip install --quiet --disable-pip-version-check -e "%TRANSCENDENCE_ROOT%%EXTRA%" 1>&2
if errorlevel 1 (
  echo transcendence: the installation failed; see the lines above. 1>&2
  exit /b 1
)
type nul > "%TRANSCENDENCE_ROOT%\.venv\ready-%READY%"
echo transcendence: ready 1>&2
exit /b 0
