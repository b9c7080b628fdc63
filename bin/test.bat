@echo off
setlocal
rem Lint, types and tests. Arguments go to pytest.
call "%~dp0environment.bat" test
if errorlevel 1 exit /b 1
cd /d "%~dp0.."
"%TRANSCENDENCE_PYTHON%" -I -m pytest %*
