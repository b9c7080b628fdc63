@echo off
rem Called by the launchers: makes the virtual environment for the extra named in %1 (none: the engine's), once.
rem All output goes to stderr: the engine's stdout belongs to UCI.
set "TRANSCENDENCE_ROOT=%~dp0.."
set "TRANSCENDENCE_PYTHON=%TRANSCENDENCE_ROOT%\.venv\Scripts\python.exe"
set "FEATURE=%~1"
if "%FEATURE%"=="" (set "READY=engine" & set "EXTRA=") else (set "READY=%FEATURE%" & set "EXTRA=[%FEATURE%]")
if exist "%TRANSCENDENCE_ROOT%\.venv\ready-%READY%" exit /b 0
echo transcendence: preparing the environment for '%READY%' (a few minutes at most) 1>&2

rem An environment whose Python does not run, is too old or has no pip is made again.
set "MODERN=import sys; sys.exit(sys.version_info < (3, 11))"
"%TRANSCENDENCE_PYTHON%" -c "import pip; %MODERN%" 1>nul 2>nul && goto install
set "BASE=py -3"
%BASE% -c "%MODERN%" 1>nul 2>nul && goto make
set "BASE=python"
%BASE% -c "%MODERN%" 1>nul 2>nul && goto make
echo transcendence: expected Python 3.11 or newer, found none. Install it from python.org and try again. 1>&2
exit /b 1

:make
%BASE% -m venv --clear "%TRANSCENDENCE_ROOT%\.venv" 1>&2 || goto failed

:install
rem The tested release of PyTorch, as in environment.sh.
set "TORCH="
for %%F in (train export test) do if "%FEATURE%"=="%%F" set "TORCH=torch==2.13.0"
if not defined TORCH goto package
"%TRANSCENDENCE_PYTHON%" -c "import torch" 1>nul 2>nul && goto package
"%TRANSCENDENCE_PYTHON%" -m pip install --quiet --disable-pip-version-check "%TORCH%" 1>&2 || goto failed

:package
"%TRANSCENDENCE_PYTHON%" -m pip install --quiet --disable-pip-version-check -e "%TRANSCENDENCE_ROOT%%EXTRA%" 1>&2 || goto failed
type nul > "%TRANSCENDENCE_ROOT%\.venv\ready-%READY%"
echo transcendence: ready 1>&2
exit /b 0

:failed
echo transcendence: the installation failed; see the lines above. Remove the folder .venv to begin again. 1>&2
exit /b 1
